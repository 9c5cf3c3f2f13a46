"""The result of one case, as it is kept: its events as JSON, and the run that they are of."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from seatrial.cache.store import Store
from seatrial.events import Attachment, Evaluated, Event, Finding, Measurement, Severity

KINDS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in (Measurement, Finding, Evaluated, Attachment)}


def passed(events: Sequence[Event]) -> bool:
    """Return whether these are all events of a case that was evaluated, compared something and found no error.

    Example:
        >>> passed([Evaluated("golden", "features", compared=5)]), passed([Evaluated("golden", "features", compared=0)])
        (True, False)
    """
    errors = any(isinstance(e, Finding) and e.severity is Severity.ERROR for e in events)
    ends = [e for e in events if isinstance(e, Evaluated)]
    known = all(isinstance(e, tuple(KINDS.values())) for e in events)
    return known and not errors and bool(ends) and all(e.compared > 0 for e in ends)


def keep(store: Store, name: str, events: Sequence[Event], run: str) -> bool:
    """Keep the events of a case that passed, and return whether they are kept.

    Args:
        store: where.
        name: of the entry.
        events: all of the case.
        run: when they were found, and in which run.
    """
    try:
        records = [{"kind": type(event).__name__, **_plain(event)} for event in events]
        return passed(events) and store.write(name, {"run": run, "events": records})
    except (TypeError, ValueError):  # a finding has what JSON has no form for
        return False


def recall(store: Store, name: str) -> list[Event]:
    """Return the events that are kept under a name, marked with the run they are of; none where there is no entry."""
    try:
        kept = store.read(name)
        events, run = [_event(dict(record)) for record in kept["events"]], str(kept["run"])
    except (KeyError, TypeError, ValueError):
        return []
    if not passed(events):
        return []
    return [replace(e, cached=True, run=run, seconds=0.0) if isinstance(e, Evaluated) else e for e in events]


def _plain(event: Event) -> dict[str, Any]:
    if isinstance(event, Attachment):
        return {**asdict(event), "content": base64.b64encode(event.content).decode("ascii")}
    return asdict(event)


def _event(record: dict[str, Any]) -> Event:
    kind = KINDS[record.pop("kind")]
    if kind is Attachment:
        record["content"] = base64.b64decode(record["content"], validate=True)
    if kind is Finding:
        record["severity"] = Severity(record["severity"])
    event: Event = kind(**record)
    return event
