"""Generate request bodies from an OpenAPI with schemathesis: some that it allows, some that it excludes."""

from __future__ import annotations

import contextlib
import json
import math
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seatrial.errors import SeatrialError

SCHEMATHESIS = "seatrial[contracts]"


class GenerationError(SeatrialError):
    """No requests could be generated."""


class GeneratorMissingError(GenerationError):
    """schemathesis is not installed."""


class _TimeUpError(Exception):
    """The time for generation has ended."""


def generate(
    document: Mapping[str, Any], path: str, method: str, *, count: int, seed: int, seconds: float
) -> list[bytes]:
    """Return at most ``count`` distinct bodies for one operation; the same seed gives the same bodies.

    Args:
        document: the OpenAPI document.
        path: the path of the operation, as the document names it.
        method: the HTTP method.
        count: the largest number of bodies.
        seed: of the random choices.
        seconds: generation stops after this time, with the bodies made by then.

    Raises:
        GenerationError: schemathesis is not installed (GeneratorMissingError), or cannot read the document.
    """
    try:
        import schemathesis
        from hypothesis import HealthCheck, Phase, given, settings
        from hypothesis import seed as seeded
    except ImportError as error:
        raise GeneratorMissingError(
            f"No requests were generated, because schemathesis is not installed. Run: pip install '{SCHEMATHESIS}', or "
            "set generated_requests = 0 in [contract] of service.toml."
        ) from error
    found: dict[bytes, None] = {}
    until = time.monotonic() + seconds

    def record(case: Any) -> None:
        body = _text(case.body)
        if body is not None:
            found.setdefault(body)
        if time.monotonic() > until:
            raise _TimeUpError

    try:
        with tempfile.TemporaryDirectory() as scratch, _home(scratch):
            operation = schemathesis.openapi.from_dict(dict(document), config=schemathesis.Config())[path][
                method.upper()
            ]
            for mode in schemathesis.GenerationMode:
                run = given(case=operation.as_strategy(generation_mode=mode))(record)
                quiet = settings(
                    max_examples=max(1, math.ceil(count / 2)), database=None, deadline=None, phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck), print_blob=False,
                )  # fmt: skip
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # they concern the generator, not the service
                    seeded(seed)(quiet(run))()
    except _TimeUpError:
        pass
    except Exception as error:
        raise GenerationError(
            f"No requests could be generated for {method} {path}: schemathesis raised {type(error).__name__}."
        ) from error
    return list(found)[:count]


@contextlib.contextmanager
def _home(directory: str) -> Iterator[None]:
    """Keep the files that Hypothesis stores out of the current folder."""
    from hypothesis import configuration

    if Path(".hypothesis").is_dir():  # the project stores it here
        yield
        return
    configuration.set_hypothesis_home_dir(directory)
    try:
        yield
    finally:
        configuration.set_hypothesis_home_dir(None)


def _text(body: Any) -> bytes | None:
    """Return a generated body as JSON text; None where JSON cannot express it."""
    try:
        return json.dumps(body).encode()
    except (TypeError, ValueError, RecursionError):
        return None
