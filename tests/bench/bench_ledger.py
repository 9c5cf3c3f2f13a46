"""A ledger with 100 000 subjects: ``python tests/bench/bench_ledger.py [--subjects N] [--url URL] [--check]``.

Limits: claiming the next job takes at most 50 ms, reconciling a listing of all subjects of which 10 are new at most
2 s, and a poll of what changed costs with 100 000 finished versions at most twice what it costs with 1 000. The
yardstick is one durable write of one row in the same database.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert, text

from seatrial.events import Outcome
from seatrial.ledger import Facts, Ledger, identity, schema

PASS = Facts(Outcome.PASS, "pass", digest="sha256:content", policy_digest="sha256:policy")
ROUNDS = 15


@dataclass(frozen=True)
class Version:
    name: str
    number: str
    created: int
    run_id: str = "r" * 32
    model_id: str = ""
    scheme: str = "models"


def versions(first: int, count: int) -> list[Version]:
    return [Version(f"model-{n % 200}", str(n // 200 + 1), 1_700_000_000_000 + n) for n in range(first, first + count)]


def filled(url: str, subjects: int) -> Ledger:
    """A ledger in which every subject was given its verdict and every effect took place."""
    ledger = Ledger.open(url)
    seen = versions(0, subjects)
    ledger.observe(seen)
    with ledger._engine.begin() as connection:
        connection.execute(text("UPDATE job SET state = 'done', token = 1, attempt = 1"))
        ids = [identity(v) for v in seen]
        common = {"epoch": 0, "outcome": "pass"}
        facts = {"digest": "d", "policy_digest": "p", "reference_digest": "r", "evidence_digest": "e"}
        rows = [{**common, **facts, "subject": s, "token": 1, "summary": "pass", "created_at": 0.0} for s in ids]
        connection.execute(insert(schema.verdict), rows)
        done = {**common, "body": "{}", "state": "done", "due_at": 0.0, "token": 1, "attempt": 1, "result": "[]"}
        rows = [
            {**done, "subject": s, "model": v.name, "effect": effect}
            for s, v in zip(ids, seen, strict=True)
            for effect in ("log-run", "tags", "describe", "alias")
        ]
        connection.execute(insert(schema.outbox), rows)
    return ledger


def milliseconds(work, rounds: int = ROUNDS) -> float:
    """The median of several rounds."""
    took = []
    for n in range(rounds):
        begin = time.perf_counter()
        work(n)
        took.append(time.perf_counter() - begin)
    return 1000 * statistics.median(took)


def measured(url: str, subjects: int) -> dict[str, float]:
    with filled(url, subjects) as ledger:
        if ledger._engine.dialect.name == "postgresql":
            with ledger._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ANALYZE"))
        found = {"one row written": milliseconds(lambda n: ledger.deliver(f"delivery-{n}", "0" * 64))}
        fresh = versions(subjects, 10 * ROUNDS)
        listing = versions(0, subjects)
        begin, busy = time.perf_counter(), time.process_time()
        assert ledger.observe([*listing, *fresh[:10]]) == 10
        found["whole listing, 10 new"] = 1000 * (time.perf_counter() - begin)
        found["  of it this process"] = 1000 * (time.process_time() - busy)

        def poll(n: int) -> None:
            ledger.watermarks()
            assert ledger.observe([*listing[-20:], *fresh[10 * n : 10 * n + 10]]) == (10 if n else 0)

        found["a poll, 10 new"] = milliseconds(poll)
        claimed = []
        found["claim"] = milliseconds(lambda _: claimed.append(ledger.claim("bench")))
        found["commit"] = milliseconds(lambda n: ledger.commit(claimed[n], PASS, [("tags", {})]))
        found["next effect"] = milliseconds(lambda _: ledger.complete_effect(ledger.next_effect()))
        assert ledger.next_effect() is None
        found["nothing to do"] = milliseconds(lambda _: ledger.next_effect())
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=100_000)
    parser.add_argument("--url", help="two empty PostgreSQL databases, separated by a comma; SQLite by default")
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        urls = (chosen.url or "").split(",") if chosen.url else [f"sqlite:///{Path(folder) / n}" for n in ("a", "b")]
        few, many = measured(urls[0], 1_000), measured(urls[1], chosen.subjects)
    print(f"{'milliseconds':24}{'1 000':>10}{chosen.subjects:>10}{'ratio':>8}{'writes':>8}")
    for name, value in many.items():
        writes = value / many["one row written"]
        print(f"{name:24}{few[name]:10.2f}{value:10.2f}{value / few[name]:8.2f}{writes:8.1f}")
    grows = many["a poll, 10 new"] > 2 * few["a poll, 10 new"]
    slow = many["claim"] > 50 or many["whole listing, 10 new"] > 2_000
    print(f"limits: claim 50 ms, whole listing 2 000 ms, a poll ratio 2: {'missed' if slow or grows else 'held'}")
    return int(chosen.check and (slow or grows))


if __name__ == "__main__":
    sys.exit(main())
