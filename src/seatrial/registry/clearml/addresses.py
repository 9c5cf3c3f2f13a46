"""The address of a version in ClearML: ``clearml:/PROJECT/MODEL/NUMBER``, ``clearml:/PROJECT/MODEL@TAG``, or the id
that ClearML shows, ``clearml:/ID``.

ClearML gives a model no number. Here it is the time of its registration, in milliseconds since 1970: it grows with
each registration, and is the same for whoever looks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from seatrial.errors import UsageError

SCHEME = "clearml"
_URI = re.compile(r"clearml:/(?P<model>[^/].*?)(?:/(?P<number>[0-9]{1,16})|@(?P<tag>[^/@]+))")
_ID = re.compile(r"clearml:/(?P<id>[0-9a-f]{32})")


@dataclass(frozen=True)
class Address:
    """What an address says: a model with the number or the tag of one version, or a ClearML id; the rest is empty."""

    model: str = ""
    number: str = ""
    tag: str = ""
    id: str = ""


def parse(uri: str) -> Address:
    """Return what an address says.

    Raises:
        UsageError: it is no address of a version in ClearML.

    Example:
        >>> parse("clearml:/payments/fraud@champion")
        Address(model='payments/fraud', number='', tag='champion', id='')
    """
    if whole := _ID.fullmatch(uri):
        return Address(id=whole["id"])
    match = _URI.fullmatch(uri)
    if match is None:
        raise UsageError(
            f"'{uri}' is not the URI of a model version in ClearML. Write clearml:/PROJECT/MODEL/NUMBER, "
            "clearml:/PROJECT/MODEL@TAG or clearml:/ID."
        )
    return Address(match["model"], match["number"] or "", match["tag"] or "")


def joined(project: str, name: str) -> str:
    """Return the name of a model here: its project and its name. A slash in its own name is written %2F.

    Example:
        >>> joined("team/payments", "fraud"), joined("", "a/b")
        ('team/payments/fraud', 'a%2Fb')
    """
    own = name.replace("%", "%25").replace("/", "%2F")
    return f"{project}/{own}" if project else own


def split(model: str) -> tuple[str, str]:
    """Return the project, which may be empty, and the name of a model: the inverse of :func:`joined`.

    Example:
        >>> split("team/payments/fraud"), split("a%2Fb")
        (('team/payments', 'fraud'), ('', 'a/b'))
    """
    project, _, own = model.rpartition("/")
    return project, own.replace("%2F", "/").replace("%25", "%")
