"""Local evidence: the values, requests, answers and error texts behind findings, for whoever has the project's files.

Events hold no cell values, because sinks upload them. These records are no events: no sink receives them, and they are
written below the project's state alone, see :mod:`seatrial.sinks.local`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from seatrial.events.event import Finding

CELL, TEXT, BODY = 2_000, 16_384, 1_048_576  # characters of a cell, characters of a text, bytes of a body
ROWS = 5  # of a column
KEYS = 100  # of the rows of one request
EACH = {"Rows": 1, "Exchange": 3, "Raised": 1, "Log": 1}  # records of one kind about the same thing
MOST_BYTES = 8 * 2**20  # of one validation
DIFFERS = "differs"  # the cause of an exchange whose answer has other values
BROKE = frozenset({"stage-broke", "hand-off", "not-repeatable", "service-broke"})  # causes with a text of an exception


@dataclass(frozen=True)
class Pair:
    """A cell in the reference and in the answer, each as text; None where there is no such row."""

    key: str
    reference: str | None
    answer: str | None


@dataclass(frozen=True)
class Rows:
    """Rows of a column that differ.

    Attributes:
        check: that compared them.
        place: the stage, dependency or service whose answer was compared.
        column: of the cells; a column of the key for rows that only one side has, which are given whole.
        how: how the answer came about, such as ``stage replay``.
        rows: the largest difference first, at most ``ROWS``. Before them, where cells hold others, the place inside
            the first of them that differs most, such as ``t-1 at result.boxes[2].score``.
        sides: what is beside what.
    """

    check: str
    place: str
    column: str
    how: str
    rows: tuple[Pair, ...]
    sides: tuple[str, str] = ("training", "serving")


@dataclass(frozen=True)
class Exchange:
    """One request to a service, and its answer.

    Attributes:
        check: that sent it.
        place: the service, or the dependency that was broken meanwhile.
        cause: the cause of its finding, such as ``status-500``, or ``DIFFERS``; empty for any cause.
        column: of its finding, where it has one.
        keys: of the rows asked for, as findings name them.
        how: how it was sent, such as ``one by one``.
        method: of the request.
        url: with which it was sent.
        headers: of the request; a secret is the ``{env:NAME}`` it came from.
        body: of the request.
        status: of the answer; 0 where there is none.
        answer_headers: by name.
        answer: its body.
        seconds: from request to answer.
        note: why there is no answer, or why the request is not whole.
        body_file: where ``body`` is on this disk, where it was read from a file of its own.
    """

    check: str
    place: str
    cause: str
    column: str | None = None
    keys: tuple[str, ...] = ()
    how: str = ""
    method: str = ""
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    status: int = 0
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    answer: bytes = field(default=b"", repr=False)
    seconds: float = 0.0
    note: str = ""
    body_file: str = ""


@dataclass(frozen=True)
class Raised:
    """An exception of the project's own code: the message without its text, as events have it, and the traceback.

    ``place`` is its stage; None where the model could not be loaded.
    """

    place: str | None
    message: str
    text: str


@dataclass(frozen=True)
class Log:
    """The end of what a process printed; ``check`` is empty where several checks used it."""

    check: str
    place: str | None
    text: str


Record = Rows | Exchange | Raised | Log


class LocalEvidence:
    """The records of one validation, bounded in number and bytes. Its methods may be called from several threads.

    Args:
        most_bytes: of all records; 0 keeps nothing.

    Attributes:
        secrets: values that may be in a record, and must be in no file.

    Example:
        >>> local = LocalEvidence()
        >>> local.keep(Log("golden", "service", "ValueError: no such branch"))
        >>> [record.text for record in local.records]
        ['ValueError: no such branch']
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._left, self._lock = most_bytes, threading.Lock()
        self._counts: Counter[tuple[object, ...]] = Counter()
        self._records: list[Record] = []
        self._wanted = most_bytes > 0
        self.secrets: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is kept."""
        return self._wanted

    @property
    def records(self) -> tuple[Record, ...]:
        """What was kept, in order."""
        with self._lock:
            return tuple(self._records)

    def keep(self, record: Record) -> None:
        """Keep a record, its texts cut to their bounds, unless it says nothing or there are enough like it."""
        if not self._wanted or (isinstance(record, Raised | Log) and not record.text):
            return
        record = _bounded(record)
        about, size = _about(record), _size(record)
        with self._lock:
            if self._counts[about] >= EACH[type(record).__name__] or size > self._left:
                return
            self._counts[about] += 1
            self._left -= size
            self._records.append(record)


def relevant(finding: Finding, records: Iterable[Record]) -> list[Record]:
    """Return the records that show what a finding is about.

    Example:
        >>> rows = Rows("golden", "score", "amount", "end-to-end replay", (Pair("t-1", "1.0", "2.0"),))
        >>> relevant(Finding("golden", "score", "'amount' differs.", column="amount"), [rows]) == [rows]
        True
        >>> relevant(Finding("golden", "score", "'hour' differs.", column="hour"), [rows])
        []
    """
    columns = {str(c) for name in ("columns", "fields") for c in finding.evidence.get(name, ())}
    columns |= {finding.column} if finding.column else set()
    own = [r for r in records if r.place == finding.stage]
    rows = [r for r in own if isinstance(r, Rows) and r.check == finding.check and r.column in columns]
    sent = [r for r in own if isinstance(r, Exchange) and r.check == finding.check]
    wanted = ("", finding.cause or "") if any(r.cause == finding.cause for r in sent) or not columns else ("", DIFFERS)
    sent = [r for r in sent if r.cause in wanted]
    sent = [r for r in sent if r.column is None or r.column in columns] or sent
    named = {str(k) for k in finding.evidence.get("keys", ())}
    sent = [r for r in sent if named & set(r.keys)] or sent
    raised = [r for r in own if isinstance(r, Raised) and r.message.rstrip(".") in finding.message]
    if not raised and finding.cause in BROKE:
        raised = [r for r in own if isinstance(r, Raised)][:1]
    logs = [r for r in own if isinstance(r, Log) and r.check == finding.check]
    logs = logs or [r for r in own if isinstance(r, Log) and not r.check]
    return [*rows, *sorted(sent, key=lambda r: len(r.keys)), *raised, *logs]


def _about(record: Record) -> tuple[object, ...]:
    kind, place = type(record).__name__, record.place
    if isinstance(record, Rows):
        return (kind, place, record.check, record.column, record.how)
    if isinstance(record, Exchange):
        return (kind, place, record.check, record.cause, record.column, record.how)
    if isinstance(record, Raised):
        return (kind, place, record.message)
    return (kind, place, record.check)


def _bounded(record: Record) -> Record:
    if isinstance(record, Rows):
        pairs = tuple(Pair(cut(p.key, CELL), _cut(p.reference), _cut(p.answer)) for p in record.rows[: ROWS + 1])
        return replace(record, rows=pairs)
    if isinstance(record, Exchange):
        long = len(record.body) > BODY
        note = f"{record.note} The body of {len(record.body):,} bytes was not kept.".strip() if long else record.note
        body = b"" if long else record.body
        return replace(record, body=body, answer=record.answer[:TEXT], note=note, keys=record.keys[:KEYS])
    return replace(record, text=cut(record.text, TEXT, end=True))


def cut(text: str, most: int, *, end: bool = False) -> str:
    """Return a text of at most ``most`` characters and a remark on the rest; its end, where that says more.

    Example:
        >>> cut("abcdef", 4), cut("abcdef", 4, end=True)
        ('abcd… (6 characters)', '(6 characters) …cdef')
    """
    if len(text) <= most:
        return text
    told = f"({len(text):,} characters)"
    return f"{told} …{text[-most:]}" if end else f"{text[:most]}… {told}"


def _cut(text: str | None) -> str | None:
    return None if text is None else cut(text, CELL)


def _size(record: Record) -> int:
    if isinstance(record, Rows):
        return sum(len(p.key) + len(p.reference or "") + len(p.answer or "") for p in record.rows) + 200
    if isinstance(record, Exchange):
        return len(record.body) + len(record.answer) + 1_000
    return len(record.text) + 200
