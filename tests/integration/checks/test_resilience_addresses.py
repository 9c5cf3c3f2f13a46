"""The resilience check on dependencies at several addresses, over TLS and on a socket file."""

import ssl
from http.server import ThreadingHTTPServer

import pytest

from seatrial.events import Evaluated, Finding, NotEvaluated
from seatrial.faults.proxy import dependency
from tests.e2e.trials.redis_server import redis_server
from tests.integration.checks.test_resilience import Answering, evaluate, scales, trial
from tests.integration.checks.test_resilience_partial import broken
from tests.support import weather_service
from tests.support.serving import in_thread
from tests.support.staging import certificate

__all__ = ["scales"]
QUICK = {"rate": 20.0, "fault_seconds": 1.0, "recovery_seconds": 3.0}


@pytest.fixture
def secured(tmp_path, monkeypatch):
    """The address of a dependency over TLS, whose certificate holds for localhost and not for 127.0.0.1."""
    files = certificate(tmp_path, hosts=("localhost",))
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with in_thread(server):
        yield f"https://localhost:{server.server_port}"


def results(events):
    findings = [e.message for e in events if isinstance(e, Finding)]
    return findings, [e.reason for e in events if isinstance(e, NotEvaluated)]


def test_dependencies_over_tls_that_the_proxy_speaks(secured):
    """Two addresses: a clean service has no finding, and one without the flag has it."""
    urls = [secured, secured]
    events = evaluate(trial(urls, tls="proxy", faults=["errors"], **QUICK))
    assert results(events) == ([], [])
    assert [e.compared for e in events if isinstance(e, Evaluated)] == [20]
    told = broken(trial(urls, "flag", tls="proxy", rate=20.0), ["errors"])
    assert [v.criterion for v in told["errors"]] == ["degraded-flag"]


def test_a_service_that_checks_a_certificate_which_cannot_hold_is_not_evaluated(secured, monkeypatch):
    """It gets an address of this machine; the reason says which setting helps."""
    monkeypatch.setattr(dependency, "_is_loopback", lambda _: False)
    findings, [reason] = results(evaluate(trial(secured, faults=["down"], **QUICK | {"recovery_seconds": 0.5})))
    assert findings == []
    assert "certificate of 'localhost'" in reason
    assert 'tls = "proxy" in [dependencies.scales]' in reason


def test_a_certificate_that_the_proxy_does_not_trust_is_named(secured, monkeypatch):
    made = trial(secured, tls="proxy", faults=["errors"], **QUICK | {"recovery_seconds": 0.5})
    monkeypatch.delenv("SSL_CERT_FILE")  # after the capture
    findings, [reason] = results(evaluate(made))
    assert findings == []
    assert "The proxy could not reach 'scales'" in reason
    assert "certificate verify failed" in reason


def test_tls_is_not_spoken_where_the_address_does_not_stand_for_it(scales):
    _, [reason] = results(evaluate(trial(scales, tls="proxy")))
    assert reason.startswith('[dependencies.scales] sets tls = "proxy". ')
    assert "https, rediss, amqps" in reason


@pytest.mark.server
def test_a_redis_on_a_socket_file(monkeypatch):
    """Connections are refused and reset; a clean service has no finding."""
    with redis_server() as server:
        server.mset({"a": 2.0, "b": 3.0, "c": 5.0})
        monkeypatch.setattr("tests.integration.checks.test_resilience.Scales", weather_service.RedisScales)
        url = f"unix://{server.config_get('dir')['dir']}/redis.sock?db=0"
        told = broken(trial(url, rate=20.0), ["down", "some_resets"])
        assert told == {"down": [], "some_resets": []}
