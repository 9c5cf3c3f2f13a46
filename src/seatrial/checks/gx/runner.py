"""Run Great Expectations so that nothing passes that it did not evaluate. No other module imports it.

By default it reports success for an empty suite, an empty frame, a column that is all null, a column whose name differs
in case, a stored expectation whose class does not exist, and for another thread's frame. So each suite runs on its own
asset under one lock, must evaluate as many expectations as it declares, and is deleted afterwards.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import pandas as pd

from seatrial.checks.gx.importing import great_expectations

_RUNNING = threading.RLock()  # Great Expectations keeps its context, registries and batches for the whole process
_VALUES_LEFT_OUT = {"result_format": "BASIC", "partial_unexpected_count": 0}


@dataclass(frozen=True)
class ExpectationResult:
    """The result of one expectation, as counts.

    ``rows``, ``unexpected`` and ``missing`` (nulls) are None where the expectation has no counts; ``features`` names
    the failing rows of a parity frame; ``observed`` is an aggregate over the column and may be one of its values.
    """

    type: str
    columns: tuple[str, ...]
    severity: str
    success: bool
    description: str = ""
    rows: int | None = None
    unexpected: int | None = None
    missing: int | None = None
    features: tuple[str, ...] = ()
    observed: Any = None

    @property
    def vacuous(self) -> bool:
        """Whether every row was skipped, so that success means nothing."""
        return self.rows is not None and self.rows - (self.missing or 0) <= 0

    @property
    def counts(self) -> dict[str, Any]:
        """Everything but the observed aggregate, in JSON's own types."""
        return {k: v for k, v in asdict(self).items() if k != "observed"}


@dataclass(frozen=True)
class SuiteResult:
    """A suite as JSON and its results (``answers``); ``problem`` is why they cannot be trusted, or empty."""

    suite: dict[str, Any]
    answers: tuple[ExpectationResult, ...] = ()
    problem: str = ""

    def failed(self, severity: str = "critical") -> tuple[ExpectationResult, ...]:
        """Return the failed results of one severity."""
        return tuple(a for a in self.answers if not a.success and a.severity == severity)


def warm_up() -> None:
    """Import Great Expectations and create its context (3 to 9 s, once a process) before it is needed."""
    with _RUNNING:
        _source()


def run_suite(name: str, expectations: Sequence[Any], frame: pd.DataFrame, *, label: str | None = None) -> SuiteResult:
    """Run a checkpoint of ``expectations`` on ``frame``.

    Args:
        name: of the suite, its asset and its checkpoint.
        expectations: one or more; they are copied, so editing them later changes nothing.
        frame: the frame to validate; its column names are text.
        label: the column that names failing rows in the results; without one, no cell value is requested.
    """
    with _RUNNING, _as_current(source := _source()):
        gx = great_expectations()
        if not (declared := [e.copy(deep=True) for e in expectations]):
            return SuiteResult({"name": name, "expectations": []}, problem="the suite declares no expectation")
        suite = gx.ExpectationSuite(name=name, expectations=declared)
        stored: dict[str, Any] = suite.to_json_dict()
        stored.pop("id", None)
        counts = {"result_format": "COMPLETE", "unexpected_index_column_names": [label]} if label else _VALUES_LEFT_OUT
        with _registered(declared) as clash:
            if clash:
                return SuiteResult(stored, problem=clash)
            result = _checkpoint(gx, source, suite, frame, counts)
        evaluated = result.statistics["evaluated_expectations"]
        if not evaluated == len(result.results) == len(declared):
            return SuiteResult(
                stored, problem=f"the suite declares {len(declared)} expectations, and {evaluated} were evaluated"
            )
        if broken := [r.expectation_config.type for r in result.results if _raised(r.exception_info)]:
            return SuiteResult(
                stored, problem=f"{broken[0]} raised {_raised_by(result.results)} instead of returning a result"
            )
        answers = tuple(_answer(r, label) for r in result.results)
        if label and (skipped := [a for a in answers if a.rows is not None and (a.missing or a.vacuous)]):
            return SuiteResult(stored, answers, problem=f"{skipped[0].type} skipped rows that are null")
        return SuiteResult(stored, answers)


def not_expectations(given: Sequence[Any]) -> list[str]:
    """Return the type names of the items that are not expectations."""
    with _RUNNING:
        _source()
        from great_expectations.expectations.expectation import Expectation

        return [type(e).__name__ for e in given if not isinstance(e, Expectation)]


def columns_of(expectation: Any) -> tuple[str, ...]:
    """Return the columns that an expectation names; none for one about the table."""
    from great_expectations.expectations.expectation import MulticolumnMapExpectation

    names = [getattr(expectation, name, None) for name in ("column", "column_A", "column_B")]
    if isinstance(expectation, MulticolumnMapExpectation):
        names += list(expectation.column_list)
    return tuple(dict.fromkeys(n for n in names if isinstance(n, str)))


def needs_whole_frame(expectation: Any) -> bool:
    """Whether an expectation may read columns it does not name: one about the table, or with a row condition."""
    return not columns_of(expectation) or getattr(expectation, "row_condition", None) is not None


@cache
def _source() -> Any:
    """Return the data source of this process's one context."""
    gx = great_expectations()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    logging.getLogger("great_expectations.expectations.registry").addFilter(
        lambda record: not record.getMessage().startswith("Overwriting declaration")
    )
    return context, context.data_sources.add_pandas("seatrial")


@contextmanager
def _as_current(context_and_source: Any) -> Iterator[None]:
    """Make the context the one of the process: releases before 1.24 look there, and the project may have its own."""
    from great_expectations.data_context.data_context.context_factory import project_manager

    before = project_manager._project
    project_manager.set_project(context_and_source[0])
    try:
        yield
    finally:
        project_manager.set_project(before)


def _checkpoint(gx: Any, context_and_source: Any, suite: Any, frame: pd.DataFrame, counts: dict[str, Any]) -> Any:
    """Add the suite, run it once and delete it again: the context would keep every frame that it validated."""
    context, source = context_and_source
    name = suite.name
    with ExitStack() as undo:
        asset = source.add_dataframe_asset(name)
        undo.callback(source.delete_asset, name)
        batch = asset.add_batch_definition_whole_dataframe("whole")
        context.suites.add(suite)
        undo.callback(context.suites.delete, name)
        validation = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=suite))
        undo.callback(context.validation_definitions.delete, name)
        checkpoint = context.checkpoints.add(
            gx.Checkpoint(name=name, validation_definitions=[validation], result_format=counts)
        )
        undo.callback(context.checkpoints.delete, name)
        (result,) = checkpoint.run(batch_parameters={"dataframe": frame}).run_results.values()
    return result


@contextmanager
def _registered(expectations: Sequence[Any]) -> Iterator[str]:
    """Register each expectation's own class for the run: a later class of the same name would replace it."""
    from great_expectations.expectations import registry

    wanted: dict[str, type] = {}
    clash = ""
    for expectation in expectations:
        kind = expectation.expectation_type
        if wanted.setdefault(kind, type(expectation)) is not type(expectation):
            clash = f"two classes named {type(expectation).__name__} are used in one suite. Rename one"
    before = {kind: registry.get_expectation_impl(kind) for kind in wanted}
    try:
        for cls in wanted.values():
            registry.register_expectation(cls)
        yield clash
    finally:
        for cls in before.values():
            registry.register_expectation(cls)


def _answer(result: Any, label: str | None) -> ExpectationResult:
    config, found = result.expectation_config, dict(result.result)
    kwargs = config.kwargs
    named = [kwargs.get("column"), kwargs.get("column_A"), kwargs.get("column_B")]
    failing = [str(row[label]) for row in found.get("unexpected_index_list") or ()] if label else []
    return ExpectationResult(
        type=str(config.type),
        columns=tuple(str(n) for n in [*named, *kwargs.get("column_list", ())] if n is not None),
        severity=str(getattr(config.severity, "value", config.severity)),
        success=bool(result.success),
        description=str(config.description or ""),
        rows=_count(found.get("element_count")),
        unexpected=_count(found.get("unexpected_count")),
        missing=_count(found.get("missing_count")),
        features=tuple(failing),
        observed=found.get("observed_value"),
    )


def _count(value: Any) -> int | None:
    return None if value is None else int(value)


def _raised(info: Any) -> bool:
    """Whether an exception record contains an exception; it is one record, or one a metric."""
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(_raised(dict(part)) for part in info.values() if hasattr(part, "items")) or bool(info)


def _raised_by(results: Sequence[Any]) -> str:
    """Return the type of the first exception; its text may carry cell values."""
    for result in results:
        info = result.exception_info
        if not _raised(info):
            continue
        records = [info] if "raised_exception" in info else list(info.values())
        lines = str(dict(records[0]).get("exception_traceback") or "").strip().splitlines()
        if lines:
            return lines[-1].split(":")[0].rsplit(".", 1)[-1][:60]
    return "an exception"
