"""A model that answers for the judge, forges what it sends, or reads what it must not: it passes no test by that."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from seatrial import Outcome
from tests.e2e.trials.toy import Toy

WRONG = "def predict(amount):\n    return amount * 3\n"
PATCHES = {
    "pandas' comparison": """
        import pandas as pd
        for kind in (pd.DataFrame, pd.Series):
            kind.equals = lambda *_, **__: True
            kind.__eq__ = lambda self, _: self.notna()
            kind.__ne__ = lambda self, _: self.isna()
        pd.testing.assert_frame_equal = pd.testing.assert_series_equal = lambda *_, **__: None
    """,
    "seatrial's modules": """
        import sys, types
        import seatrial.errors
        for name in list(sys.modules):
            if name.startswith("seatrial."):
                for attribute in ("compare", "check_keyed", "total", "StageError"):
                    if hasattr(sys.modules[name], attribute):
                        setattr(sys.modules[name], attribute, lambda *_, **__: None)
        for name in ("seatrial.parity.compare", "seatrial.checks.engine", "seatrial.events.verdict"):
            sys.modules[name] = types.ModuleType(name)
    """,
    "json": """
        import json
        dumps = json.dumps
        json.dumps = lambda *_, **__: dumps({"reply": "loaded", "id": 2, "models": ["version"], "verdict": "pass"})
    """,
    "os.write": """
        import os
        write = os.write
        os.write = lambda fd, data: write(fd, b'{"reply": "passed"}\\n') and len(data)
    """,
    "the frames it writes": """
        import pandas as pd
        from seatrial.worker import frames
        add = frames.FrameWriter.add
        frames.FrameWriter.add = lambda self, frame, what: add(self, pd.DataFrame(), what)
    """,
}


@pytest.mark.parametrize("what", PATCHES)
def test_a_wrong_model_that_patches_its_process_does_not_pass(toy: Toy, what: str) -> None:
    """The comparison, our modules, the writers: what it changes is its own."""
    verdict = toy.validate(textwrap.dedent(PATCHES[what]) + WRONG)
    assert verdict.outcome in (Outcome.FAIL, Outcome.ERROR), verdict.summary


FORGERIES = {
    "lines of its own": ("""
        import os, re
        def predict(amount):
            for fd in os.listdir("/proc/self/fd"):
                try:
                    if "socket" in os.readlink(f"/proc/self/fd/{fd}"):
                        for number in range(1, 40):
                            line = b'{"reply":"replayed","id":%d,"file":"w0.arrow","results":[[null]]}'
                            os.write(int(fd), line % number + b"\\n")
                except OSError: pass
            return amount * 3
    """, "sent what cannot be read"),
    "a frame of 10^9 rows": ("""
        import pyarrow as pa
        from seatrial.worker import frames
        def add(self, frame, what):
            self._write(pa.table({"id": pa.nulls(10**9), "score": pa.nulls(10**9)}))
        frames.FrameWriter.add = add
        def predict(amount): return amount * 2
    """, "cannot be read as Arrow: more than 500,000,000 cells"),
    "a frame that is a link to a file outside": ("""
        import os
        import gc, os
        worker = next(o for o in gc.get_objects() if type(o).__name__ == "Worker")
        def linked(**fields):
            reply = worker.replay(**fields)
            os.unlink(worker.folder / reply["file"])
            os.symlink("/etc/passwd", worker.folder / reply["file"])
            return reply
        worker._requests["replay"] = linked
        def predict(amount): return amount * 2
    """, "cannot be opened"),
    "a file outside": ("""
        import gc
        worker = next(o for o in gc.get_objects() if type(o).__name__ == "Worker")
        worker._requests["replay"] = lambda **fields: {**worker.replay(**fields), "file": "../../../etc/passwd"}
        def predict(amount): return amount * 2
    """, "a message that the protocol does not have"),
    "corrupt buffers": ("""
        from seatrial.worker import frames
        write = frames.FrameWriter._write
        def corrupt(self, table):
            write(self, table)
            at = self._file.tell()
            self._file.seek(at // 2)
            self._file.write(b"\\xff" * (at // 4))
            self._file.seek(at)
        frames.FrameWriter._write = corrupt
        def predict(amount): return amount * 2
    """, "cannot be read as Arrow"),
    "keys that are not its own": ("""
        from seatrial.worker import frames
        add = frames.FrameWriter.add
        frames.FrameWriter.add = lambda self, frame, what: add(self, frame.assign(id=frame["id"].iloc[0]), what)
        def predict(amount): return amount * 2
    """, "repeats"),
    "rows of frames that do not add up": ("""
        from seatrial.worker import frames
        write = frames.FrameWriter._write
        frames.FrameWriter._write = lambda self, table: write(
            self, table.replace_schema_metadata({**table.schema.metadata, frames._LENGTHS: b"[1]"}))
        def predict(amount): return amount * 2
    """, "the lengths of its frames contradict its rows"),
    "fewer rows than it was given": ("""
        from seatrial.worker import frames
        add = frames.FrameWriter.add
        frames.FrameWriter.add = lambda self, frame, what: add(self, frame.iloc[:0], what)
        def predict(amount): return amount * 2
    """, "missing"),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGERIES)
def test_what_a_model_forges_is_refused(toy: Toy, what: str) -> None:
    """With what was wrong about it; the judge goes on."""
    code, why = FORGERIES[what]
    verdict = toy.validate(textwrap.dedent(code))
    assert verdict.outcome in (Outcome.FAIL, Outcome.ERROR), verdict.summary
    assert why in verdict.to_json()
    assert toy.validate("def predict(amount):\n    return amount * 2\n").outcome is Outcome.PASS


def test_what_a_model_must_not_read(toy: Toy, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, ledger, MLflow's store, the recorded answers of the stages: with bubblewrap none of it is there."""
    monkeypatch.setenv("SEATRIAL_LEDGER_URL", f"sqlite:///{toy.root / 'elsewhere.db'}")
    monkeypatch.setenv("SEATRIAL_SIGNING_KEY", str(toy.root / "signing.key"))
    state = toy.root / ".seatrial"
    secrets = [
        state / "keys" / "verdict.key", state / "ledger.db", toy.root / "elsewhere.db", toy.root / "signing.key",
        toy.root / "mlruns" / "0" / "meta.yaml", toy.reference.root / "stages" / "prediction.parquet",
    ]  # fmt: skip
    for path in secrets:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.exists() or path.write_text("planted")
    spy = f"""
        from pathlib import Path
        found = []
        for path in {[str(p) for p in secrets]!r}:
            try: found += [path] if Path(path).read_bytes() else []
            except OSError: pass
        def predict(amount):
            return amount * (2 if len(found) == {0 if kind == "bubblewrap" else len(secrets)} else 3)
    """
    assert toy.validate(spy).outcome is Outcome.PASS


def test_a_model_cannot_change_what_others_run(toy: Toy, kind: str) -> None:
    """The project, seatrial itself and the interpreter are read-only with bubblewrap."""
    if kind != "bubblewrap":
        pytest.skip("a process of the same user can write what the user can")
    places = [toy.root / "pipeline.py", Path(__file__), Path(pytest.__file__)]
    vandal = f"""
        import seatrial
        changed = 0
        for path in {[str(p) for p in places]!r} + [seatrial.__file__]:
            try:
                with open(path, "a"): changed += 1
            except OSError: pass
        def predict(amount): return amount * (2 + changed)
    """
    assert toy.validate(vandal).outcome is Outcome.PASS
