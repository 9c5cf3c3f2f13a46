"""Which target sends the requests to a service, and what it carries: protocol, shape, access and pace."""

import pytest

from seatrial import Pipeline, Service
from seatrial.checks.serving.target import PACED, target_of
from seatrial.errors import PipelineError, TargetError
from seatrial.plugins import names
from seatrial.targets.elsewhere import elsewhere
from seatrial.targets.pacing import Pace
from seatrial.targets.rest import Rest
from seatrial.targets.shapes.openai import OpenAIChat
from seatrial.targets.shapes.shaped import Shaped

URL = "https://staging.example/ml"


def target(pace=None, environ=None, **settings):
    """The target of a service at an address, which nothing is sent to."""
    service = Service(url=settings.pop("url", URL), headers={"X-Key": "{env:KEY}"}, **settings)
    pipeline = Pipeline("shop", key="id", raw=lambda frame: frame, score=lambda frame: frame, service=service)
    return target_of(pipeline, elsewhere(service, environ or {"KEY": "k-77d1c2"}), pace=pace or Pace(4))


@pytest.mark.parametrize(
    ("settings", "kind", "url", "batch"),
    [
        ({"predict": "/score", "batch": "/batch"}, Rest, f"{URL}/score", "/ml/batch"),
        ({"predict": "/score", "envelope": "instances"}, Shaped, f"{URL}/score", "/ml/score"),
        ({"predict": "/score", "envelope": "list", "batch": "/many"}, Shaped, f"{URL}/score", "/ml/many"),
        ({"predict": "rest+http://127.0.0.1:{port}/score", "poll_seconds": 3}, Shaped, f"{URL}/score", None),
        ({"predict": "openai+http://127.0.0.1:{port}/v1?model=a"}, OpenAIChat, f"{URL}/v1/chat/completions", None),
        (
            {"url": "https://staging.example", "predict": "openai+http://127.0.0.1:{port}?model=a"},
            OpenAIChat,
            "https://staging.example/v1/chat/completions",
            None,
        ),
    ],
)
def test_every_target_over_http_has_the_address_the_access_and_the_pace(settings, kind, url, batch):
    """Paths begin at the url's, also that of batches; the key is sent, and the pace is that of the other clients."""
    pace = Pace(4)
    made = target(pace, **settings)
    assert type(made) is kind
    assert str(made.url) == url
    assert made.batch == batch
    assert made.access.headers == {"x-key": "k-77d1c2"}
    assert (made.pace, made.connections) == (pace, 4)
    root = made.root(seconds=3)
    assert (root.access, root.pace, str(root.url)) == (made.access, pace, "https://staging.example/")


def test_all_protocols_over_http_are_paced():
    """A protocol that is added keeps to the pace too."""
    assert {*PACED} == {name for name in names("targets") if "http" in name}


def test_a_shape_and_a_protocol_do_not_go_together():
    """The protocol writes requests itself. Where the address is in a variable, that is known when it is filled."""
    with pytest.raises(PipelineError, match=r"Service\(url='oip\+https://staging.example'\) names a protocol"):
        target(url="oip+https://staging.example", envelope="instances")
    with pytest.raises(TargetError, match="at an address of oip, a protocol that writes requests"):
        target(environ={"KEY": "k-77d1c2", "URL": f"oip+{URL}"}, url="{env:URL}", envelope="instances")
