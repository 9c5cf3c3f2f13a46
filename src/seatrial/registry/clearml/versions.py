"""The registered models of ClearML as versions, in the process that speaks to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from seatrial.errors import RegistryError, VersionNotFound, nearest
from seatrial.registry.clearml.addresses import SCHEME, joined, parse, split
from seatrial.registry.clearml.session import client, everything, exactly, host, paged, projects

FIELDS = ["id", "name", "project", "task", "created", "last_update", "tags", "metadata", "uri"]
NOT_THERE = ("/uploading_file", "/failed_uploading")  # how the address of a file ends until it is uploaded
ARCHIVED = "archived"  # the system tag of what people deleted from the list
VERDICT_TAG = "seatrial: "  # before the outcome, in the tag that people filter by
BEGIN, END = "[seatrial]", "[end of seatrial]"  # lines around the verdict in a model's description
_UTC = timezone.utc  # noqa: UP017  a training script may run on Python 3.10
_EPOCH = datetime(1970, 1, 1, tzinfo=_UTC)


def resolve(uri: str) -> dict[str, Any]:
    """Return the version that an address means now; of several models with a tag it is the newest."""
    address = parse(uri)
    if address.id:
        by_id = described(models(id=[address.id]))
        if not by_id:
            raise VersionNotFound(f"ClearML has no model of the id {address.id}, or it is archived.")
        return by_id[0]
    held = of_model(address.model)
    found = [v for v in held if v["number"] == address.number or address.tag in v["aliases"]]
    if not found:
        raise VersionNotFound(_missing(uri, address.model, held))
    newest = max(found, key=lambda version: int(version["number"]))
    if same := [v["model_id"] for v in held if v["number"] == newest["number"] and v != newest]:
        raise RegistryError(
            f"{uri} is not clear: ClearML registered the models {newest['model_id']} and {', '.join(same)} in the same "
            "millisecond. Archive one of them, or register it again."
        )
    return newest


def of_model(model: str, *, uploaded: bool = False) -> list[dict[str, Any]]:
    """Return every version of a model, or every one whose file is uploaded."""
    project, name = split(model)
    only: dict[str, Any] = {"name": exactly(name)}
    if project:
        only["project"] = [each.id for each in projects(name=exactly(project))]
        if not only["project"]:
            return []
    found = [each for each in models(**only) if not uploaded or _is_uploaded(each)]
    return [each for each in described(found) if each["name"] == model]


def changed_since(since: float, model: str) -> list[dict[str, Any]]:
    """Return every version that was last changed at ``since``, milliseconds, or later, the latest first.

    ClearML registers a model before its file is uploaded. Such a one is listed when the upload has changed it.
    """
    if model:
        latest_first = sorted(of_model(model, uploaded=True), key=lambda version: -version["changed"])
        return [version for version in latest_first if version["changed"] >= since]
    found = list[Any]()
    for each in paged(client().models.get_all, **_query(order_by=["-last_update", "id"])):
        if milliseconds(each.last_update or each.created) < since:
            break
        found.append(each)
    return described([each for each in found if _is_uploaded(each)])


def aliases() -> dict[str, dict[str, str]]:
    """Return every model with its tags; of several versions with a tag, the newest."""
    found: dict[str, dict[str, str]] = {}
    for version in sorted(described(models()), key=lambda version: int(version["number"])):
        if version["aliases"]:
            found.setdefault(version["name"], {}).update(dict.fromkeys(version["aliases"], version["number"]))
    return found


def move_tag(model_id: str, model: str, tag: str) -> bool:
    """Move a tag to a model's version; False if another process moved it elsewhere at the same moment.

    Newer versions lose it before this one gets it, and older ones after: whoever dies between leaves a tag that means
    no version, this one, or the one before.
    """
    held = of_model(model)
    own = next((version for version in held if version["model_id"] == model_id), None)
    if own is None:
        raise VersionNotFound(f"ClearML has no model of the id {model_id}, or it is archived. No tag was moved.")
    others = [version for version in held if tag in version["aliases"] and version != own]
    for version in (each for each in others if int(each["number"]) > int(own["number"])):
        _retag(version["model_id"], remove=[tag])
    _retag(model_id, add=[tag])
    for version in (each for each in others if int(each["number"]) <= int(own["number"])):
        _retag(version["model_id"], remove=[tag])
    return [version["model_id"] for version in of_model(model) if tag in version["aliases"]] == [model_id]


def annotate(model_id: str, tags: Mapping[str, str], texts: Sequence[str], links: Sequence[str]) -> None:
    """Set metadata of a model, the tag of its verdict, and the verdict's part of its description."""
    if tags:
        items = [{"key": key, "type": "str", "value": value} for key, value in tags.items()]
        client().models.add_or_update_metadata(model=model_id, metadata=items, replace_metadata=False)
    if verdict := tags.get("seatrial.verdict"):
        given = client().models.get_by_id(model=model_id).tags or []
        others = [tag for tag in given if tag.startswith(VERDICT_TAG) and tag != VERDICT_TAG + verdict]
        _retag(model_id, add=[VERDICT_TAG + verdict], remove=others)
    if texts:
        comment = client().models.get_by_id(model=model_id).comment or ""
        before, begin, rest = comment.partition(BEGIN)
        after = rest.partition(END)[2] if begin and END in rest else ""
        gap = "" if not before or before.endswith("\n") else "\n\n"
        said = "\n".join([texts[0].rstrip(), *links])
        client().models.edit(model=model_id, comment=f"{before}{gap}{BEGIN}\n{said}\n{END}{after}")


def models(**only: Any) -> list[Any]:
    """Return the registered models that a query finds, without archived ones, the oldest first."""
    return everything(client().models.get_all, **_query(order_by=["created", "id"], **only))


def described(found: Sequence[Any]) -> list[dict[str, Any]]:
    """Return models as versions, in JSON's own types."""
    names = {each.id: each.name for each in projects(id=sorted({m.project for m in found if m.project}))}
    address = host()
    return [
        {
            "name": joined(names.get(each.project, "") if each.project else "", each.name),
            "number": str(milliseconds(each.created)),
            "created": milliseconds(each.created),
            "run_id": each.task or "",
            "model_id": each.id,
            "aliases": [tag for tag in each.tags or [] if not tag.startswith(VERDICT_TAG)],
            "changed": milliseconds(each.last_update or each.created),
            "registry": address,
            "scheme": SCHEME,
            "tags": {key: item["value"] for key, item in _items(each.metadata) if item.get("value") is not None},
        }
        for each in found
    ]


def milliseconds(moment: datetime) -> int:
    """Return a time of the server, UTC, in milliseconds since 1970.

    Example:
        >>> milliseconds(datetime(1970, 1, 1, 0, 0, 1, 5000))
        1005
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=_UTC)
    return (aware - _EPOCH) // timedelta(milliseconds=1)


def _query(**only: Any) -> dict[str, Any]:
    return {"only_fields": FIELDS, "system_tags": [f"-{ARCHIVED}"], **only}


def _is_uploaded(model: Any) -> bool:
    return bool(model.uri) and not model.uri.endswith(NOT_THERE)


def _retag(model_id: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
    """Add and remove tags of a model, as it has them now."""
    given = client().models.get_by_id(model=model_id).tags or []
    wanted = [tag for tag in given if tag not in remove] + [tag for tag in add if tag not in given]
    if wanted != given:
        client().models.edit(model=model_id, tags=wanted)


def _items(metadata: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a model's metadata; releases of the package differ in whether it is a mapping or a list."""
    for item in metadata.values() if isinstance(metadata, Mapping) else metadata or []:
        plain = item if isinstance(item, Mapping) else item.to_dict()
        yield str(plain.get("key", "")), plain


def _missing(uri: str, model: str, held: Sequence[Mapping[str, Any]]) -> str:
    if held:
        newest = sorted((v["number"] for v in held), key=int, reverse=True)[:5]
        tags = sorted({tag for v in held for tag in v["aliases"]})
        return (
            f"ClearML has no {uri}. Newest versions of {model}: {', '.join(newest)}. "
            f"Tags: {', '.join(tags[:10]) or 'none'}."
        )
    project, _ = split(model)
    ids = [each.id for each in projects(name=exactly(project))] if project else []
    there = sorted({each["name"] for each in described(models(project=ids))}) if ids else []
    said = f"Models of project '{project}': {', '.join(there[:10])}.{nearest(model, there)}" if there else ""
    return f"ClearML has no model '{model}'. {said or 'Write its project and its name: clearml:/PROJECT/MODEL/NUMBER.'}"
