"""Local evidence as lines of text. All of it was written by the project's code and its data: it is made neutral."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from seatrial.events.local import BODY, Exchange, Raised, Record, Rows
from seatrial.formatting import seconds
from seatrial.sinks.text import neutral, neutral_lines

CELL, TEXT, HEADER = 200, 4_000, 300  # characters of a cell, of a line of text, and of a header
EXCHANGES = 2  # of one finding
LOG_LINES = 20
SENT_BY_CURL = frozenset({"accept-encoding", "content-length", "host", "connection"})
_SECRET = re.compile(r"\{(env|file):([^{}]+)\}")


def evidence_lines(records: Iterable[Record]) -> list[str]:
    """Return the records as lines, one block after the other."""
    records = list(records)
    sent = [r for r in records if isinstance(r, Exchange)][:EXCHANGES]
    blocks = [_block(r) for r in records if not isinstance(r, Exchange) or r in sent]
    return [line for block in blocks for line in [*block, ""]][:-1]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Return rows as columns of text below their names; no cell is wrapped.

    Example:
        >>> table(["key", "now"], [["t-1", "13"]])
        ['  key  now', '  t-1  13']
    """
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    return [
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]


def cell_text(text: str | None) -> str:
    """Return a cell; a dash where there is no such row or column."""
    return "-" if text is None else neutral(text, CELL)


def curl(exchange: Exchange) -> str:
    """Return the command that sends a request again. A secret is the shell's variable, or the file, that it came from.

    Example:
        >>> curl(Exchange("golden", "service", "status-500", method="POST", url="http://127.0.0.1:8000/score",
        ...               headers={"x-api-key": "{env:STAGING_KEY}"}, body=b'{"id": 1}'))
        'curl -i -X POST http://127.0.0.1:8000/score -H "x-api-key: ${STAGING_KEY}" --data-binary \\'{"id": 1}\\''
    """
    words = ["curl", "-i", "-X", shlex.quote(exchange.method), shlex.quote(exchange.url)]
    for name, value in exchange.headers.items():
        if name not in SENT_BY_CURL:
            words += ["-H", _quoted(f"{name}: {value}")]
    if exchange.body_file:
        words += ["--data-binary", shlex.quote(f"@{exchange.body_file}")]
    elif exchange.body:
        words += ["--data-binary", shlex.quote(exchange.body.decode("utf-8", "backslashreplace"))]
    return neutral(" ".join(words), BODY)


def _quoted(text: str) -> str:
    """Return a word for the shell, in which ``{env:NAME}`` is its variable and ``{file:PATH}`` what a file holds."""
    if not _SECRET.search(text):
        return shlex.quote(text)
    plain = re.sub(r'([\\"$`])', r"\\\1", text)
    return '"' + _SECRET.sub(lambda m: f"${{{m[2]}}}" if m[1] == "env" else f"$(cat {shlex.quote(m[2])})", plain) + '"'


def _block(record: Record) -> list[str]:
    if isinstance(record, Rows):
        return list(_rows(record))
    if isinstance(record, Exchange):
        return list(_exchange(record))
    if isinstance(record, Raised):
        return ["Exception:", *(f"  {line}" for line in neutral_lines(record.text))]
    lines = neutral_lines(record.text)
    part = f", the last {LOG_LINES} of {len(lines)} lines kept" if len(lines) > LOG_LINES else ""
    return [f"What it printed{part}:", *(f"  {line}" for line in lines[-LOG_LINES:])]


def _rows(record: Rows) -> Iterator[str]:
    yield f"{neutral(record.column)} ({neutral(record.how)}):"
    rows = [[neutral(p.key, CELL), cell_text(p.reference), cell_text(p.answer)] for p in record.rows]
    yield from table(["key", *map(neutral, record.sides)], rows)


def _exchange(record: Exchange) -> Iterator[str]:
    keys = f" for {neutral(', '.join(record.keys), CELL)}" if record.keys else ""
    yield f"Request{keys} ({neutral(record.how or record.cause)}):"
    if record.url:
        yield f"  {curl(record)}"
        if "://127.0.0.1" in record.url:
            yield "  (A service that seatrial started has ended: start it, and put its address in the line.)"
    if record.note:
        yield f"  {neutral(record.note, TEXT)}"
    if record.status:
        yield f"Answer: status {record.status} in {seconds(record.seconds)}"
        for name, value in record.answer_headers.items():
            yield f"  {neutral(f'{name}: {value}', HEADER)}"
        yield from (f"  {line}" for line in neutral_lines(record.answer.decode("utf-8", "backslashreplace")))
