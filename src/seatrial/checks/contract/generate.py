"""Generate request bodies from an OpenAPI with schemathesis: some that it allows, some that it excludes."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.errors import SeatrialError
from seatrial.process.cached import cache_folder

SCHEMATHESIS = "seatrial[contracts]"


class GeneratorMissingError(SeatrialError):
    """schemathesis is not installed."""


class _TimeUpError(Exception):
    """The time for generation has ended."""


@dataclass(frozen=True)
class Generated:
    """Bodies for one operation.

    Attributes:
        bodies: distinct bodies as JSON text.
        lacking: why there are fewer than planned, a sentence; empty where the document allows no others.
    """

    bodies: Sequence[bytes]
    lacking: str = ""


def generate(
    document: Mapping[str, Any], path: str, method: str, *, count: int, seed: int, seconds: float
) -> Generated:
    """Return at most ``count`` distinct bodies for one operation; the same seed gives the same bodies.

    They are counted and not timed, so that a busy machine makes no fewer. What was made before an error is kept.

    Args:
        document: the OpenAPI document.
        path: the path of the operation, as the document names it.
        method: the HTTP method.
        count: the largest number of bodies.
        seed: of the random choices.
        seconds: of the processor, after which generation is given up; a busy machine makes as many as an idle one.

    Raises:
        GeneratorMissingError: schemathesis is not installed.
    """
    try:
        import schemathesis
        from hypothesis import HealthCheck, Phase, given, settings
        from hypothesis import seed as seeded
        from hypothesis.errors import Unsatisfiable
    except ImportError as error:
        raise GeneratorMissingError(
            f"No requests were generated, because schemathesis is not installed. Run: pip install '{SCHEMATHESIS}', or "
            "set generated_requests = 0 in [contract] of service.toml."
        ) from error
    found: dict[bytes, None] = {}
    until, lacking = time.thread_time() + seconds, ""

    def record(case: Any) -> None:
        body = _text(case.body)
        if body is not None:
            found.setdefault(body)
        if time.thread_time() > until:
            raise _TimeUpError

    try:
        with _home(cache_folder() / "hypothesis"):
            operation = schemathesis.openapi.from_dict(dict(document), config=schemathesis.Config())[path][
                method.upper()
            ]
            for mode in schemathesis.GenerationMode:
                run = given(case=operation.as_strategy(generation_mode=mode))(record)
                quiet = settings(
                    max_examples=max(1, math.ceil(count / 2)), database=None, deadline=None, phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck), print_blob=False,
                )  # fmt: skip
                # The schema of a request may allow everything, or nothing that is JSON: then one mode has no bodies.
                with warnings.catch_warnings(), contextlib.suppress(Unsatisfiable):
                    warnings.simplefilter("ignore")  # they concern the generator, not the service
                    seeded(seed)(quiet(run))()
    except _TimeUpError:
        within = f"{seconds:g} s of the processor"
        lacking = f"{len(found):,} of {count:,} requests for {method} {path} were generated within {within}"
    except Exception as error:  # noqa: BLE001  of schemathesis, on a document that it cannot read
        name = type(error).__name__
        lacking = f"{len(found):,} of {count:,} requests for {method} {path} were generated: schemathesis raised {name}"
    return Generated(list(found)[:count], lacking)


@contextlib.contextmanager
def _home(directory: Path) -> Iterator[None]:
    """Keep the files that Hypothesis stores out of the current folder: tables of Unicode, which take it a second."""
    from hypothesis import configuration

    if Path(".hypothesis").is_dir():  # the project stores it here
        yield
        return
    configuration.set_hypothesis_home_dir(directory)
    try:
        yield
    finally:
        configuration.set_hypothesis_home_dir(None)
        shutil.rmtree(directory / "constants", ignore_errors=True)  # one for each state of each file


def _text(body: Any) -> bytes | None:
    """Return a generated body as JSON text; None where JSON cannot express it."""
    try:
        return json.dumps(body).encode()
    except (TypeError, ValueError, RecursionError):
        return None
