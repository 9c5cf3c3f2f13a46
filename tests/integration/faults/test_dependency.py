"""The proxies of one dependency, against real servers: several addresses, TLS by name, socket files."""

import contextlib
import json
import re
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import ThreadingMixIn, UnixStreamServer

import httpx
import pytest

from seatrial.errors import UsageError
from seatrial.faults.network import Down, Latency, ResetPeer
from seatrial.faults.partial import Partial
from seatrial.faults.proxy.dependency import DependencyProxy
from seatrial.faults.responses import Errors
from tests.support.serving import in_thread
from tests.support.staging import certificate

NAME = "store.example"


class Telling(BaseHTTPRequestHandler):
    """Says which host it was asked for, and by which name in the TLS handshake; sends ``/there`` to its own address."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        told = {"host": self.headers["host"], "sni": getattr(self.connection, "sni", None), "of": self.server.name}
        body = json.dumps(told).encode()
        self.send_response(302 if self.path == "/there" else 200)
        if self.path == "/there":
            self.send_header("location", f"{self.server.origin}/here")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "client"

    def log_message(self, *_):
        pass


class UnixHttpServer(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    name = origin = "unix"


@contextlib.contextmanager
def http_server(name="a", context=None, host="127.0.0.1"):
    """A server, whose port it yields."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Telling)
    server.daemon_threads, server.name = True, name
    server.origin = f"{'https' if context else 'http'}://{host}:{server.server_port}"
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with in_thread(server):
        yield server.server_port


@pytest.fixture
def secured(tmp_path, monkeypatch):
    """A TLS server that takes no client without the name it is certified for; the certificate and its port."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate(tmp_path, hosts=(NAME, "localhost"))[0]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")

    def named(connection, name, _):
        connection.sni = name
        return None if name in (NAME, "localhost") else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    context.sni_callback = named
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *args, **kw: real("127.0.0.1" if host == NAME else host, *args, **kw)
    )
    with http_server(context=context, host=NAME) as port:
        yield tmp_path / "server.pem", port


def refused(url):
    try:
        httpx.get(url)
    except httpx.TransportError:
        return True
    return False


def test_a_fault_hits_each_of_several_addresses_and_is_undone_at_each():
    with (
        http_server("a") as a,
        http_server("b") as b,
        DependencyProxy(f"http://127.0.0.1:{a}/x,http://127.0.0.1:{b}/x") as proxy,
    ):
        first, second = proxy.through.split(",")
        assert [httpx.get(url).json()["of"] for url in (first, second)] == ["a", "b"]
        assert proxy.calls == 2
        assert len(proxy.ports) == 2
        with proxy.fault(Errors()) as hits:
            assert httpx.get(second).status_code == 503
            assert hits.count == 1
            assert httpx.get(first).status_code == 503
            assert hits.count == 2
        with proxy.fault(Down()) as hits:
            assert all([refused(first), refused(second)])
            assert hits.count >= 2
        assert httpx.get(second).json()["of"] == "b"


def test_the_form_of_several_addresses_is_kept():
    """A list of hosts and ports, and the hosts of a cluster with user, database and options."""
    with DependencyProxy("h1:9092,h2:9092") as proxy:
        assert re.fullmatch(r"127\.0\.0\.1:\d+,127\.0\.0\.1:\d+", proxy.through)
    with DependencyProxy("mongodb://u:p@h1:27017,h2:27017/db?replicaSet=rs0") as proxy:
        assert re.fullmatch(
            r"mongodb://u:p@127\.0\.0\.1:\d+,127\.0\.0\.1:\d+/db\?replicaSet=rs0", proxy.through
        )  # fmt: skip


def test_the_dependency_is_asked_for_its_own_host():
    """Virtual hosts are told apart by it; a redirection to the dependency leads to the proxy."""
    with http_server() as port, DependencyProxy(f"http://localhost:{port}") as proxy:
        assert httpx.get(proxy.through).json()["host"] == f"localhost:{port}"
    with http_server() as port, DependencyProxy(f"http://127.0.0.1:{port}") as proxy:
        led = httpx.get(f"{proxy.through}/there").headers["location"]
        assert led == f"{proxy.through}/here"


def test_the_proxy_speaks_tls_by_the_real_name(secured):
    """The service speaks HTTP to it, so that faults of responses are possible too."""
    _, port = secured
    with DependencyProxy(f"https://{NAME}:{port}/v1", tls=True) as proxy:
        assert proxy.through.startswith("http://127.0.0.1:")
        assert proxy.unnamed == ""
        assert httpx.get(proxy.through).json() == {"host": f"{NAME}:{port}", "sni": NAME, "of": "a"}
        assert httpx.get(proxy.through.replace("/v1", "/there")).headers["location"].startswith("http://127.0.0.1:")
        with proxy.fault(Errors()) as hits:
            assert httpx.get(proxy.through).status_code == 503
        assert hits.count == 1


def test_a_certificate_that_is_not_trusted_is_no_dependency(secured, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with DependencyProxy(f"https://{NAME}:{secured[1]}", tls=True) as proxy:
        assert httpx.get(proxy.through).status_code == 502
        assert "CERTIFICATE_VERIFY_FAILED" in proxy.trouble


def test_tls_of_another_protocol_is_spoken_by_the_real_name(secured):
    """What passes is bytes: here a client that speaks HTTP by hand stands for one of Redis."""
    with DependencyProxy(f"rediss://{NAME}:{secured[1]}/0", tls=True) as proxy:
        assert proxy.through.startswith("redis://127.0.0.1:")
        [port] = proxy.ports
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b'"sni": "store.example"' in b"".join(iter(lambda: client.recv(4096), b""))
    with pytest.raises(UsageError, match="rediss"):
        DependencyProxy("postgresql://db/x", tls=True)


def test_the_service_speaks_tls_where_the_name_leads_here(secured):
    """Bytes pass unchanged: the name stays in the address, and the certificate holds."""
    authority, port = secured
    with DependencyProxy(f"https://localhost:{port}") as proxy:
        assert proxy.through.startswith("https://localhost:")
        verified = ssl.create_default_context(cafile=str(authority))
        assert httpx.get(proxy.through, verify=verified).json()["sni"] == "localhost"
        with proxy.fault(Latency(latency=1)) as hits:
            httpx.get(proxy.through, verify=verified)
        assert hits.count > 0
    with DependencyProxy("https://203.0.113.7") as proxy:
        assert proxy.unnamed == "203.0.113.7"


def test_http_over_a_socket_file(tmp_path):
    """Faults of connections and of responses; the folder of the proxy's socket is gone afterwards."""
    with in_thread(UnixHttpServer(str(tmp_path / "api.sock"), Telling)):
        with DependencyProxy(f"http+unix://{str(tmp_path / 'api.sock').replace('/', '%2F')}/v1") as proxy:
            path = httpx.URL(proxy.through).host.replace("%2F", "/").replace("%2f", "/")

            def ask():
                with httpx.Client(transport=httpx.HTTPTransport(uds=path)) as client:
                    return client.get("http://any/v1")

            assert ask().json() == {"host": "localhost", "sni": None, "of": "unix"}
            with proxy.fault(Errors()) as hits:
                assert ask().status_code == 503
            with proxy.fault(Partial(fault=ResetPeer(), share=0.999)) as resets, pytest.raises(httpx.TransportError):
                ask()
            assert (hits.count, resets.count) == (1, 1)
            with proxy.fault(Down()) as gone:
                for _ in range(2):
                    with pytest.raises(httpx.TransportError):
                        ask()
            assert gone.count == 1
            assert ask().status_code == 200
            assert proxy.ports == frozenset()
        with pytest.raises(httpx.TransportError):
            ask()
    assert [t.name for t in threading.enumerate() if "proxy of" in t.name] == []
