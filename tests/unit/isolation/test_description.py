"""What the worker tells of a service is what the pipeline declares: every field, through the strict record."""

from __future__ import annotations

from dataclasses import fields

from seatrial import Pipeline, Service
from seatrial.isolation.description import described
from seatrial.isolation.messages import read_reply
from seatrial.targets.elsewhere import served_at
from seatrial.worker.main import description

CONTAINED = Service(
    command=["docker", "run", "--name", "{name}", "-p", "{port}:8080", "shop:1"], stop=["docker", "rm", "-f", "{name}"],
    ready="/ready", predict="/v1/models/m:predict", openapi=None, env={"A": "b"}, batch="/all", serves="raw", cwd="/",
    ready_seconds=3.5, envelope="instances", poll_seconds=2.0,
)  # fmt: skip


def pipeline() -> Pipeline:
    return Pipeline("p", key="id", raw=lambda frame: frame, score=lambda frame: frame, service=CONTAINED)


def test_every_field_of_a_service_crosses() -> None:
    """A field that was forgotten on the way would be another service, such as one that is never ended."""
    opened = read_reply({"reply": "opened", "id": 1, **description(pipeline())})
    service = described(opened, ("p.py", "p")).service
    for each in fields(Service):
        before, after = getattr(CONTAINED, each.name), getattr(service, each.name)
        assert (list(after) == list(before or ())) if isinstance(after, list | tuple) else after == before, each.name


def test_another_address_takes_the_place_of_a_container() -> None:
    """With ``--target`` nothing is started, so nothing is ended."""
    other = served_at(pipeline(), "https://staging.example").service
    assert (other.command, other.stop, other.url) == ((), (), "https://staging.example")
    assert other.envelope == "instances"
