"""Which field of a generated request ends in a 5xx: the one whose value, put into an answered request, ends so too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from seatrial.checks.contract.judge import Exchange
from seatrial.checks.contract.session import Session
from seatrial.errors import TargetError
from seatrial.targets.messages import Response

TRIED = 10  # generated requests whose field is looked for
FIELDS = 20  # of a request that are tried


def blamed(session: Session, exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Return the exchanges, each that ended in a 5xx with the field that is to blame, where one alone is.

    Args:
        session: the live service.
        exchanges: generated requests and what came back; the first few that failed are looked at.
    """
    sound = _sound(session)
    failed = [n for n, each in enumerate(exchanges) if _broke(each.result)][:TRIED] if sound else []
    found = list(exchanges)
    for n in failed:
        probe = exchanges[n].probe
        try:
            fields = _fields(session, sound, json.loads(probe.body))
        except (ValueError, TargetError):
            continue
        if len(fields) == 1:
            found[n] = replace(exchanges[n], probe=replace(probe, field_name=fields[0]))
    return found


def _sound(session: Session) -> Mapping[str, Any]:
    """Return a request of the reference that the service answers; empty where there is none with named fields."""
    for body in session.valid_requests():
        try:
            request = json.loads(body)
            if isinstance(request, dict) and session.ask(body).ok:
                return request
        except (ValueError, TargetError):
            continue
    return {}


def _fields(session: Session, sound: Mapping[str, Any], request: Any) -> list[str]:
    if not isinstance(request, dict):
        return []
    other = [name for name in request if name not in sound or request[name] != sound[name]]
    return [name for name in other[:FIELDS] if _broke(session.ask(_body({**sound, name: request[name]})))]


def _body(request: Mapping[str, Any]) -> bytes:
    return json.dumps(request).encode()


def _broke(result: Response | TargetError | None) -> bool:
    return isinstance(result, Response) and result.status >= 500
