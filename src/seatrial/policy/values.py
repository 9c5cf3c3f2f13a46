"""Kinds of values that several settings share, or that type and bounds alone do not describe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from seatrial import plugins
from seatrial.errors import UsageError, unknown
from seatrial.policy.refusals import refuse
from seatrial.policy.settings import List
from seatrial.process.dask.addresses import CLUSTERS, LOCAL, is_scheduler

Text = Annotated[str, Field(min_length=1)]
Weight = Literal["error", "warning", "allow"]


def _profile(corners: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    if not corners:
        return corners
    from seatrial.loadgen.schedule import Profile  # numpy, which most settings do not need

    try:
        Profile(corners)  # type: ignore[arg-type]  # it counts the numbers of a corner itself
    except (UsageError, TypeError, ValueError) as error:
        reason = f" {error}" if isinstance(error, UsageError) else ""
        refuse(((), f"'profile' cannot be used.{reason} Example: profile = [[0, 5], [60, 20]]."), value=corners)
    return corners


def _faults(names: tuple[str, ...]) -> tuple[str, ...]:
    known = plugins.names("faults")
    if strange := [name for name in names if name not in known]:
        refuse(((), f"'faults' names a fault scenario that is not installed. {unknown('Fault', strange[0], known)}"))
    return names


def _registry(scheme: str) -> str:
    if scheme not in (known := plugins.names("registries")):
        refuse(((), unknown("registry =", scheme, known)), value=scheme)
    return scheme


def _check(name: str) -> str:
    if name not in (known := plugins.names("checks")):
        refuse(((), unknown("check", name, known)), value=name)
    return name


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _bind(address: str) -> str:
    if not _is_address(address):
        refuse(((), f"'bind' must be an IP address of this machine; found '{address}'. Example: bind = \"172.17.0.1\", "
                    "that of docker's bridge. What a container calls this machine is 'host'."))  # fmt: skip
    return address


def _host(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]*", name) and not _is_address(name):
        refuse(((), f"'host' must be a host name or an IP address, without a port; found '{name}'. "
                    'Example: host = "host.docker.internal".'))  # fmt: skip
    return name


def _trackers(names: tuple[str, ...]) -> tuple[str, ...]:
    known = plugins.names("trackers")
    for name in names:
        if name not in known:
            refuse(((), unknown("trackers: tracker", name, known)), value=name)
        if names.count(name) > 1:
            refuse(((), f"'trackers' names '{name}' twice. Remove one."), value=name)
    return names


def _variables(names: tuple[str, ...]) -> tuple[str, ...]:
    if strange := [name for name in names if not name.isidentifier()]:
        refuse(((), f"'environment' must be a list of names of environment variables; found '{strange[0]}'. "
                    'Example: environment = ["PAYMENTS_STORE_URL"].'))  # fmt: skip
    if ours := [name for name in names if name.startswith("SEATRIAL_")]:
        refuse(((), f"'environment' names {ours[0]}, which is seatrial's own: a model never sees it. Remove it."))
    return names


def _scheduler(address: str) -> str:
    if not is_scheduler(address):
        refuse(((), 'The address of a Dask scheduler is like "tcp://10.0.0.5:8786", or with tls.'), value=address)
    return address


def _cluster(name: str) -> str:
    if name != LOCAL and not is_scheduler(name):
        refuse(((), f"A Dask cluster is {CLUSTERS}."), value=name)
    return name


Scheduler = Annotated[str, AfterValidator(_scheduler)]
Cluster = Annotated[str, AfterValidator(_cluster)]
Corners = Annotated[List[List[float]], AfterValidator(_profile)]
Faults = Annotated[List[str], AfterValidator(_faults)]
Bind = Annotated[str, AfterValidator(_bind)]
Host = Annotated[str, AfterValidator(_host)]
Registry = Annotated[str, AfterValidator(_registry)]
Trackers = Annotated[List[str], AfterValidator(_trackers)]
OfChecks = Mapping[Annotated[str, AfterValidator(_check)], Mapping[str, Any]]
Variables = Annotated[List[str], AfterValidator(_variables)]
