"""The URIs of versions in Kubeflow Model Registry.

A version has a name that people gave it, such as ``v3``, and an id, which grows with each registration. ``NUMBER`` in
our URIs is the id. KServe's own form, with the name, is read too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from seatrial.errors import UsageError

SCHEME = "model-registry"  # KServe's: storageUri of an InferenceService begins with it
_OURS = re.compile(rf"{SCHEME}:/(?!/)(?P<model>.+?)(?:/(?P<id>[1-9][0-9]{{0,8}})|@(?P<alias>[A-Za-z0-9._-]+))")
_BY_NAME = re.compile(rf"{SCHEME}:/(?!/)(?P<model>.+)/(?P<version>[^/@]+)")


@dataclass(frozen=True)
class Address:
    """What a URI names: a model, and its version by id, by alias or by name. Two of the three are empty."""

    model: str
    id: str = ""
    alias: str = ""
    version: str = ""


def read(uri: str, host: str) -> Address:
    """Return what a URI names.

    Args:
        uri: ``model-registry:/MODEL/ID``, ``model-registry:/MODEL@ALIAS``, or as KServe reads it
            ``model-registry://[HOST/]MODEL/VERSION``.
        host: of the registry, with its port: a URI with another host is none of its own.

    Raises:
        UsageError: it is no such URI, or of another registry.

    Example:
        >>> read("model-registry:/iris/7", ""), read("model-registry://iris/v3", "")
        (Address(model='iris', id='7', alias='', version=''), Address(model='iris', id='', alias='', version='v3'))
    """
    if uri.startswith(f"{SCHEME}://"):
        return _as_kserve_reads(uri, host)
    if match := _OURS.fullmatch(uri):
        return Address(match["model"], match["id"] or "", match["alias"] or "")
    by_name = _BY_NAME.fullmatch(uri)
    hint = f" A version by its name: {SCHEME}://{by_name['model']}/{by_name['version']}." if by_name else ""
    raise UsageError(
        f"'{uri}' is not the URI of a model version. Write {SCHEME}://MODEL/VERSION with the version's name, "
        f"{SCHEME}:/MODEL/ID or {SCHEME}:/MODEL@ALIAS.{hint}"
    )


def _as_kserve_reads(uri: str, host: str) -> Address:
    parts = uri.partition("://")[2].split("/", 2)
    if len(parts) == 3 and parts[0] != host:
        raise UsageError(
            f"'{uri}' is of the registry at {parts[0]}; MODEL_REGISTRY_BASE_URL names the one at {host}. "
            f"Write {SCHEME}://MODEL/VERSION, or set the variable to {parts[0]}."
        )
    if len(parts) < 2 or not all(parts):
        raise UsageError(f"'{uri}' names no version. Write {SCHEME}://MODEL/VERSION with the version's name.")
    return Address(parts[-2], version=parts[-1])
