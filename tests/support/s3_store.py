"""A store that speaks enough of S3 for Arrow's client: objects of one bucket in memory, on 127.0.0.1."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

ROW = "<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
LIST = '<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>{rows}{folders}</ListBucketResult>'


@contextmanager
def serving(bucket: str) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Serve a bucket until the block ends; yield the address and the objects by key."""
    objects: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            key, asked = self._read()
            if not key:
                return self._send(200, self._listed(asked).encode(), "application/xml")
            if key not in objects:
                return self._send(404, b"<Error><Code>NoSuchKey</Code></Error>", "application/xml")
            return self._object(objects[key])

        do_HEAD = do_GET

        def do_PUT(self) -> None:
            key, _ = self._read()
            chunked = self.headers.get("Transfer-Encoding") == "chunked"
            length = int(self.headers.get("Content-Length") or 0)
            body = b"".join(_chunks(self.rfile)) if chunked else self.rfile.read(length)
            if "aws-chunked" in (self.headers.get("Content-Encoding") or ""):  # another coding, inside the first
                body = b"".join(_chunks(io.BytesIO(body)))
            objects[key] = body
            self._send(200, b"")

        def _read(self) -> tuple[str, dict[str, str]]:
            parts = urlsplit(self.path)
            assert parts.path.split("/")[1] == bucket
            asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            return unquote(parts.path.split("/", 2)[2] if parts.path.count("/") > 1 else ""), asked

        def _listed(self, asked: dict[str, str]) -> str:
            prefix, divider = asked.get("prefix", ""), asked.get("delimiter", "")
            here = {key: content for key, content in objects.items() if key.startswith(prefix)}
            deeper = {key for key in here if divider and divider in key[len(prefix) :]}
            folders = sorted({prefix + key[len(prefix) :].split(divider)[0] + divider for key in deeper})
            rows = [ROW.format(key=escape(k), size=len(v)) for k, v in sorted(here.items()) if k not in deeper]
            common = [f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in folders]
            return LIST.format(rows="".join(rows[: int(asked.get("max-keys", 1000))]), folders="".join(common))

        def _object(self, content: bytes) -> None:
            start, _, end = (self.headers.get("Range") or "").removeprefix("bytes=").partition("-")
            part = content[int(start or 0) : int(end) + 1 if end else None]
            self._send(206 if start else 200, part)

        def _send(self, status: int, body: bytes, kind: str = "application/octet-stream") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
            self.send_header("ETag", '"0"')
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", objects
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the parts of a body that states the size of each; a signature or checksum after it is not read."""
    while size := int(file.readline().split(b";")[0] or b"0", 16):
        yield file.read(size)
        file.readline()
    while file.readline().strip():
        pass
