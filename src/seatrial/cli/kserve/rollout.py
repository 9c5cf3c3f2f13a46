"""Raise a version's share of the traffic step by step: ``verify`` stands before every one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from seatrial.errors import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS, SeatrialError, UsageError
from seatrial.promotion.verify import Verification


@dataclass(frozen=True)
class Means:
    """What a rollout acts with.

    Attributes:
        verify: says whether the version may be used now, or raises where that cannot be told.
        apply: gives the version a share of the traffic, with the digest of the files that were verified.
        withdraw: makes its share 0, with that digest.
        check: runs the command of the user, and returns its exit code.
        pause: waits between two steps.
        tell: takes a sentence for the user.
    """

    verify: Callable[[], Verification]
    apply: Callable[[int, str], None]
    withdraw: Callable[[str], None]
    check: Callable[[], int]
    pause: Callable[[], None]
    tell: Callable[[str], None]


def steps_of(text: str, current: int | None = None) -> tuple[int, ...]:
    """Return the steps that a text names.

    Args:
        text: percentages in rising order.
        current: the share that the version has now; None where it is not deployed.

    Raises:
        UsageError: one is no percentage, or not above the one before it.

    Example:
        >>> steps_of("0,10,100")
        (0, 10, 100)
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and int(word) <= 100 for word in words):
        raise UsageError(f"--step '{text}': give whole numbers from 0 to 100 with commas. Example: --step 0,10,50,100")
    if current is not None and not 0 <= current <= 100:
        raise UsageError(f"--from {current}: give the share that the version has now, 0 to 100.")
    steps = tuple(map(int, words))
    before = (-1 if current is None else current, *steps)
    if wrong := next((pair for pair in zip(before, steps, strict=False) if pair[1] <= pair[0]), None):
        raise UsageError(
            f"--step: {wrong[1]} does not follow {wrong[0]}; a step is above the one before it. To take traffic away: "
            'kubectl patch isvc NAME --type merge -p \'{"spec":{"predictor":{"canaryTrafficPercent":0}}}\''
        )
    return steps


def roll_out(steps: Sequence[int], means: Means, current: int | None = None) -> int:
    """Give a version the shares of the traffic in turn, as long as it is verified before each; return the exit code.

    It is 0 where it has the last share; 1 where it may not be used: a share that it has becomes 0; 2 where that cannot
    be told: its share stays.

    Args:
        steps: in rising order.
        means: what it acts with.
        current: the share that the version has now; None where it is not deployed.

    Raises:
        UsageError: a share could not be applied.
    """
    deployed = ""
    for n, percent in enumerate(steps):
        if n:
            means.pause()
        try:
            verification = means.verify()
        except SeatrialError as error:
            means.tell(str(error))
            return _stay(means, current)
        means.tell(verification.reason)
        if not verification.allowed:
            return _roll_back(means, current, deployed or verification.digest)
        if deployed and verification.digest != deployed:
            means.tell("Its files are not those of the step before. Begin again with the first step.")
            return _stay(means, current)
        if current is not None and (code := means.check()):
            means.tell(f"The command of --check ended with exit code {code}.")
            return _roll_back(means, current, verification.digest) if code == EXIT_FAIL else _stay(means, current)
        try:
            means.apply(percent, verification.digest)
        except UsageError as error:
            kept = f"{current} %, or {percent} %" if current is not None else f"{percent} %, or it is not deployed"
            raise UsageError(f"{error} Its share of the traffic is {kept}.") from error
        current, deployed = percent, verification.digest
        means.tell(f"Its share of the traffic is {percent} %.")
    return EXIT_PASS


def _stay(means: Means, current: int | None) -> int:
    means.tell(f"Its share of the traffic stays at {current} %." if current is not None else "It was not deployed.")
    return EXIT_INCONCLUSIVE


def _roll_back(means: Means, current: int | None, digest: str) -> int:
    """Take the traffic away, where the version has some: to deploy it for that would give a new service all of it."""
    if not current:
        means.tell("It was not deployed." if current is None else "Its share of the traffic is 0 already.")
        return EXIT_FAIL
    try:
        means.withdraw(digest)
    except UsageError as error:
        means.tell(f"{error} The version may not be used, and still has traffic: at most {current} %.")
        return EXIT_FAIL
    means.tell(f"It was rolled back from {current} % of the traffic to 0.")
    return EXIT_FAIL
