"""What is written: the verdict on a version, an alias of its model. Each is read again, for others write there too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.errors import RegistryError
from seatrial.registry.descriptions import with_verdict
from seatrial.registry.kubeflow.client import SECONDS, ask, merged, properties
from seatrial.registry.kubeflow.versions import ALIAS, aliases_of, by_id
from seatrial.registry.protocol import Version
from seatrial.sinks.links import Link, links_markdown

DESCRIPTION = 2_500  # characters that a person reads; the registry itself has no limit
TRIES = 4  # to write what somebody else writes at the same moment


def move_alias(version: Version, alias: str) -> bool:
    """Put an alias on a version; False if it is on another one when it is read again."""

    async def question(api: Any) -> bool:
        from mr_openapi import RegisteredModelUpdate

        there = await by_id(api, version.number, version.uri)
        for reads in (False, True):
            model = await api.get_registered_model(there.registered_model_id, _request_timeout=SECONDS)
            if aliases_of(model).get(alias) == there.name:
                return True
            if reads:
                break
            update = RegisteredModelUpdate(
                custom_properties=merged(model, {ALIAS + alias: there.name}), state=model.state
            )
            await api.update_registered_model(model.id, update, _request_timeout=SECONDS)
        return False

    return ask(question, f"The alias '{alias}' of {version.name} cannot be moved.")


def annotate(
    version: Version,
    tags: Mapping[str, str],
    texts: Sequence[str] = (),
    run_id: str = "",  # noqa: ARG001  of a tracker elsewhere, whose pages the registry does not know
    page: str = "",
) -> None:
    """Set custom properties of a version, and put the verdict into its description; what else is there stays.

    Args:
        version: the version.
        tags: the properties; one whose text is empty is taken out.
        texts: the verdict, the longest text first.
        run_id: of the run, which is elsewhere; not shown.
        page: the address of the flow run's page.

    Raises:
        VersionNotFound: the version is gone.
        RegistryError: the registry does not answer, or others write to the version again and again.
    """
    links = links_markdown([Link("flow run", page)])

    async def question(api: Any) -> None:
        from mr_openapi import ModelVersionUpdate

        for _ in range(TRIES):  # written, then read: the registry knows no condition for a change
            there = await by_id(api, version.number, version.uri)
            before = there.description or ""
            text = with_verdict(before, texts, links, DESCRIPTION) if texts else None
            held = properties(there)
            if text in (None, before) and all(held.get(name, "") == value for name, value in tags.items()):
                return
            update = ModelVersionUpdate(  # the state is sent, or an archived version would be live again
                custom_properties=merged(there, dict(tags)), description=text, state=there.state
            )
            await api.update_model_version(there.id, update, _request_timeout=SECONDS)
        raise RegistryError(f"{version.uri} was changed by others while its verdict was written. It is tried again.")

    ask(question, f"{version.uri} cannot be annotated.")
