"""The address of a service that runs already: what is refused, what fills it, and that it shows no secret."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial import Service
from seatrial.errors import PipelineError, UsageError
from seatrial.events import Attachment, Finding
from seatrial.events.redaction import redacted
from seatrial.pipeline.access import Access
from seatrial.process.sandbox import Sandbox
from seatrial.targets.elsewhere import elsewhere
from seatrial.targets.launch import start
from seatrial.targets.messages import Response
from seatrial.targets.pacing import retry_after

HTTP = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "neither of command= and url="),
        ({"command": ["serve"], "url": HTTP}, "both of command= and url="),
        ({"url": "ftp://staging.example"}, "is not the address of a service"),
        ({"url": "https://staging.example?key=1"}, "ends with a query"),
        ({"url": "https://ann:s3cret@staging.example"}, "password in the service's url is written in full"),
        ({"url": HTTP, "headers": {"X-Key": "abc"}}, "'X-Key'.*written in full.*{env:X_KEY}"),
        ({"url": HTTP, "headers": {"Authorization": "Bearer abc"}}, "written in full"),
        ({"url": HTTP, "headers": {"X-Key": "{evn:KEY}"}}, "'{evn:KEY}' is no placeholder"),
        ({"url": HTTP, "headers": {"X-A": "a\r\nX-B: b"}}, "not one line"),
        ({"url": HTTP, "cert": ("a.pem", "a.key", "secret")}, "password in Service.cert.*written in full"),
        ({"command": ["serve"], "env": {"KEY": "{env:KEY}"}}, "'environment' of .tool.seatrial."),
        ({"command": "docker run shop:1"}, "take lists of words"),
        ({"url": HTTP, "stop": ["docker", "rm", "-f", "x"]}, "a service with url= is not ended"),
        (
            {"command": ["docker", "run", "shop:1"]},
            r"outlives its client. Add --name {name} to command, and stop=..docker., .rm., .-f., .{name}..\.",
        ),
        (
            {"command": ["/usr/bin/docker", "compose", "up"]},
            r"Add -p {name} to command, and stop=..docker., .compose., .-p., .{name}., .down..\.",
        ),
        ({"command": ["podman-compose", "up"]}, r"stop=..podman-compose., .-p., .{name}., .down..\."),
        ({"command": ["serve"], "predict": "rest+http://ann:pw@127.0.0.1:{port}/score"}, "user or password"),
    ],
)
def test_what_cannot_be_used_is_refused_when_the_pipeline_is_read(settings, said):
    """Each with what to type instead, and without the credential that was written."""
    with pytest.raises(PipelineError, match=said) as refused:
        Service(**settings)
    assert "s3cret" not in str(refused.value)


def test_a_rest_address_of_the_own_service_is_its_path():
    """``rest+http://127.0.0.1:{port}/score`` is what load, contract and resilience know as ``/score``."""
    assert Service(["serve"], predict="rest+http://127.0.0.1:{port}/score").predict == "/score"


def test_placeholders_are_filled_from_the_environment_and_from_files(tmp_path: Path):
    """Header, basic authentication and the password of a key; paths begin in the pipeline's folder."""
    (tmp_path / "token").write_text("t0ken-91\n")
    service = Service(
        url="https://{env:USER_NAME}:{env:PASSWORD}@staging.example/ml/", predict="/score", verify="ca.pem",
        headers={"X-Key": "Bearer {file:token}", "X-Tenant": "acme"}, cert=("c.pem", "c.key", "{env:PASSWORD}"),
    )  # fmt: skip
    there = elsewhere(service, {"USER_NAME": "ann@x", "PASSWORD": "p@ss/w:rd"}, tmp_path)
    basic = base64.b64encode(b"ann@x:p@ss/w:rd").decode()
    assert (there.url, there.predict) == ("https://staging.example/ml", "rest+https://staging.example/ml/score")
    assert there.access.headers == {
        "x-key": "Bearer t0ken-91", "x-tenant": "acme", "authorization": f"Basic {basic}"
    }  # fmt: skip
    assert there.access.verify == str(tmp_path / "ca.pem")
    assert there.path("/health") == "/ml/health"
    for secret in ("t0ken-91", "p@ss/w:rd", basic):
        assert secret in there.access.secrets
        assert secret not in repr(there) + str(there)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{env:STAGING_KYE}", r"STAGING_KYE is not set.*Did you mean 'STAGING_KEY'"),
        ("{env:EMPTY}", "EMPTY is empty"),
        ("{env:MLFLOW_TRACKING_PASSWORD}", "seatrial's own"),
        ("{file:nothing}", "cannot be read"),
        ("{env:TWO_LINES}", "not one line"),
    ],
)
def test_what_does_not_fill_is_named_and_not_shown(value, said, tmp_path: Path):
    """The variable or file is named; no value is shown."""
    environ = {"STAGING_KEY": "k-1234", "EMPTY": "", "MLFLOW_TRACKING_PASSWORD": "hunter22", "TWO_LINES": "a1b2\nc3d4"}
    with pytest.raises(UsageError, match=said) as refused:
        elsewhere(Service(url=HTTP, headers={"X-Key": value}), environ, tmp_path)
    assert not any(secret in str(refused.value) for secret in ("k-1234", "hunter22", "a1b2"))


@given(st.text(min_size=4, max_size=30).filter(lambda s: s not in ("true", "false", "null")), st.text(max_size=20))
def test_no_event_holds_a_secret(secret: str, around: str):
    """In texts, names, evidence and files, plain and as JSON writes it."""
    forms = Access(secrets=(secret,)).forms()
    content = json.dumps({"said": f"{around} {secret}"}).encode()
    found = redacted(Finding("golden", "service", f"{around}{secret}", evidence={"keys": [secret], secret: 1}), forms)
    kept = redacted(Attachment("contract", "service", "openapi.json", content), forms)
    if not set(secret) <= {"*"}:
        assert secret not in found.message
        assert secret not in found.evidence["keys"][0]
        assert json.dumps(secret)[1:-1].encode() not in kept.content


def test_names_are_read_as_words():
    """A number of tokens is no token."""
    plain = ["TOKENIZERS_PARALLELISM", "MAX_TOKENS", "PASSIVE_MODE", "SECRETARY", "MONKEY"]
    hidden = [
        "HF_TOKEN", "OPENAI_API_KEY", "APIKEY", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "MYPASSWD", "githubToken",
        "GOOGLE_APPLICATION_CREDENTIALS", "AWS_SESSION_TOKEN", "PRIVATE_KEY_FILE", "STORAGE_ACCOUNT_KEY",
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name in (*plain, *hidden):
            patch.setenv(name, "1")
        passed = Sandbox().environment()
    assert [n for n in plain if n not in passed] == []
    assert [n for n in hidden if n in passed] == []


def test_the_port_of_a_dependency_is_not_a_free_port():
    """``{redis_port}`` is refused where ``{redis.url}`` is known: it would be a port at which nothing listens."""
    service = Service(["serve", "{port}", "--redis", "{redis_port}"])
    with pytest.raises(UsageError, match=r"Write '\{redis.url\}'"):
        start(service, values={"redis.url": "redis://127.0.0.1:6379"}, port=1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3.0), ("0", 0.0), ("-1", 0.0), ("nan", None), ("soon", None), ("", None),
     ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0), ("Wed, 21 Oct 2015 07:20:00 GMT", 0.0)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(text, seconds):
    """A date counts from the date of the answer."""
    headers = {"retry-after": text, "date": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert retry_after(Response(429, headers, b"", 0.1)) == seconds
