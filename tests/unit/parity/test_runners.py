"""The suite for runners passes the one that is here, and finds what each of these does wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from seatrial.errors import StageError
from seatrial.parity.streaming import InProcess, Runner, State
from seatrial.parity.streaming.runner import Threads
from seatrial.testing import runner_conforms


class Backwards:
    def map(self, work: Callable[[Any], Any], parts: Sequence[Any]) -> Iterator[Any]:
        return map(work, parts[::-1])


class Forgets:
    def map(self, work: Callable[[Any], Any], parts: Sequence[Any]) -> Iterator[Any]:
        return map(work, parts[:-1])


class Twice:
    def map(self, work: Callable[[Any], Any], parts: Sequence[Any]) -> Iterator[Any]:
        return chain(map(work, parts), map(work, parts[:1]))


class HidesErrors:
    def map(self, work: Callable[[Any], Any], parts: Sequence[Any]) -> Iterator[Any]:
        for part in parts:
            try:
                yield work(part)
            except StageError as error:
                raise RuntimeError(str(error)) from error


class SwallowsErrors:
    def map(self, work: Callable[[Any], Any], parts: Sequence[Any]) -> Iterator[Any]:
        for part in parts:
            try:
                yield work(part)
            except StageError:
                return


class Spoils:
    """Gives a state that is not that of its part."""

    def map(self, work: Callable[[Any], Any], parts: Sequence[Any]) -> Iterator[Any]:
        for found in map(work, parts):
            if isinstance(state := getattr(found, "state", found), State):
                state.columns["f2"] = state.columns["f3"]
            yield found


@pytest.mark.parametrize("here", [InProcess(), Threads(1), Threads(3)])
def test_this_process_conforms(here: Runner, tmp_path: Path) -> None:
    runner_conforms(here, tmp_path)


@pytest.mark.parametrize("wrong", [Backwards, Forgets, Twice, HidesErrors, SwallowsErrors, Spoils])
def test_what_a_runner_does_wrong_is_found(wrong: Any, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, RuntimeError)):
        runner_conforms(wrong(), tmp_path)
