"""The fixed probes, sent to the live service."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from seatrial.checks.contract.findings import findings
from seatrial.checks.contract.judge import Exchange, evaluated
from seatrial.checks.contract.session import Session
from seatrial.errors import AnswerError, TargetError
from seatrial.events import Event, Finding, Measurement, NotEvaluated
from seatrial.pipeline import SERVICE
from seatrial.targets.messages import Response
from seatrial.targets.probes.base import Expect, Probe

RETRIED = 5  # deadlines that asking again may take altogether


def probe_service(name: str, ground: Session) -> Iterator[Event]:
    """Send the reference's own requests, then every probe, and yield what is wrong with the answers.

    Raises:
        TargetError: nobody answers.
    """
    plain = [Probe("request", "a request of the reference", body, Expect.ACCEPT) for body in ground.plain()]
    sound = send(ground, plain)
    answered = [n for n, sent in enumerate(sound) if isinstance(sent.told, Response) and sent.told.ok]
    if not answered:
        told = sound[0].told if sound else None
        if isinstance(told, TargetError) and not isinstance(told, AnswerError):
            raise told
        yield NotEvaluated(
            name, SERVICE, f"no request of the reference is answered, so nothing can be probed ({_said(told)})"
        )
        return
    sent = sound + send(ground, ground.probes(answered[0]))
    yield from judge_all(name, ground, sent)
    yield Measurement(name, SERVICE, "probes", sum(s.told is not None for s in sent), "requests")
    yield from _after(name, ground, sound[answered[0]], sent)


def send(ground: Session, asked: Sequence[Probe], *, seconds: float | None = None) -> list[Exchange]:
    """Send probes, those of one type together; each ends within the deadline, and failures end the whole."""
    out: dict[int, Exchange] = {}
    for kind in dict.fromkeys(p.content_type for p in asked):
        of_kind = [n for n, p in enumerate(asked) if p.content_type == kind]
        told = ground.asked.send_all(
            [asked[n].body for n in of_kind], path=ground.path, headers=ground.headers(kind),
            seconds=ground.settings.seconds, all_seconds=seconds or 20 * ground.settings.seconds,
        )  # fmt: skip
        out |= {n: Exchange(asked[n], t) for n, t in zip(of_kind, told, strict=True)}
    return _again(ground, [out[n] for n in range(len(asked))])


def _again(ground: Session, sent: list[Exchange]) -> list[Exchange]:
    """Send what got no answer once more, each on a connection of its own: a server may close one after any error."""
    lost = [n for n, each in enumerate(sent) if each.told is None or isinstance(each.told, AnswerError)]
    until = time.monotonic() + RETRIED * ground.settings.seconds
    for n in lost:
        if time.monotonic() > until or ground.live.ended() is not None:
            break
        probe = sent[n].probe
        with ground.alone() as alone:
            try:
                told = alone.send(probe.body, path=ground.path, headers=ground.headers(probe.content_type))
                sent[n] = Exchange(probe, told)
            except TargetError as error:
                sent[n] = Exchange(probe, error)
                if not isinstance(error, AnswerError):
                    break  # nobody is there
    return sent


def judge_all(name: str, ground: Session, sent: Sequence[Exchange]) -> Iterator[Finding]:
    """Yield what is wrong with the answers, one finding for each cause and field."""
    yield from findings(name, [trouble for each in sent for trouble in evaluated(ground, each)])


def _after(name: str, ground: Session, first: Exchange, sent: Sequence[Exchange]) -> Iterator[Event]:
    """Ask the first request again: probes must leave nothing behind."""
    live = ground.live
    lost = any(s.told is None or isinstance(s.told, TargetError) for s in sent)
    if how := live.stopped() if lost else live.ended():
        yield Finding(
            name, SERVICE, f"The service ended with {how} while it was probed. {live.tail()}", cause="service-died",
            advice="Send the probes one by one by hand until it ends.",
        )  # fmt: skip
        return
    unsent = sum(s.told is None for s in sent)
    away = next((s.told for s in sent if isinstance(s.told, TargetError) and not isinstance(s.told, AnswerError)), None)
    if away is not None or unsent:
        why = str(away) if away is not None else "Others got no answer in time."
        yield NotEvaluated(name, SERVICE, f"{unsent:,} probes could not be sent. {why}")
        return
    again = ground.asked.send(first.probe.body, path=ground.path)
    assert isinstance(first.told, Response)
    if not again.ok or ground.without_varying(again) != ground.without_varying(first.told):
        yield Finding(
            name, SERVICE, "After the probes the service answers the same request differently than before.",
            cause="left-behind", evidence={"status": again.status},
            advice="Name what must vary in [golden] varying of service.toml; else look for state that stays.",
        )  # fmt: skip


def _said(told: Response | TargetError | None) -> str:
    if isinstance(told, Response):
        return f"the service answers {told.status}"
    return str(told) if told is not None else "there is none"
