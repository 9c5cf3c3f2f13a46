"""A staging service over TLS with an API key and a rate limit, and the certificates for it.

Run as a script, ``staging.py PORT CERT KEY FAULT``: the key that it asks for is in its own environment, in
``STAGING_SECRET``. FAULT is ``none``, ``wrong-value`` or ``refuses-key``.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any


def certificate(folder: Path, name: str = "server", hosts: tuple[str, ...] = ()) -> tuple[Path, Path]:
    """Write a self-signed certificate for 127.0.0.1, or for hosts by their names, and its key; return their paths."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(each) for each in hosts] or [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, none))
    return paths


class Limit:
    """After every ``most`` requests, none is answered for a second from the first that is refused."""

    def __init__(self, most: int) -> None:
        self.most, self.count, self.until, self.lock = most, 0, 0.0, threading.Lock()

    def seconds_to_wait(self) -> int:
        """Count a request; return 0, or the whole seconds to wait."""
        with self.lock:
            now = time.monotonic()
            self.count += 1
            if self.count > self.most:
                self.count, self.until = 0, now + 1
            return int(now < self.until)


def app(fault: str, secret: str, most: int = 25) -> Any:
    """Return the service: twice the number, to who shows the key, so many at a time."""
    from fastapi import FastAPI, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from pydantic import BaseModel, ConfigDict, Field

    limit = Limit(most)
    served = FastAPI(openapi_url="/ml/openapi.json")

    class Asked(BaseModel):
        model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
        id: str = Field(pattern=r"^t[0-9]+$")
        x: float = Field(ge=-1e6, le=1e6)

    class Answer(BaseModel):
        id: str
        y: float

    @served.exception_handler(RequestValidationError)
    async def refuse(_: Request, __: Exception) -> JSONResponse:
        return JSONResponse({"detail": [{"loc": ["body"], "msg": "no such request", "type": "value_error"}]}, 422)

    @served.middleware("http")
    async def gate(request: Request, go_on: Any) -> Response:
        given = request.headers.get("x-key", "")
        if given != secret or fault == "refuses-key":
            return JSONResponse({"detail": f"unknown key {given}"}, 401)  # it repeats what it was given
        if wait := limit.seconds_to_wait():
            return JSONResponse({"detail": "too many requests"}, 429, {"retry-after": str(wait)})
        response: Response = await go_on(request)
        response.headers["x-seen-key"] = given
        return response

    async def score(asked: Asked) -> Answer:
        return Answer(id=asked.id, y=asked.x * 2 + (0.25 if fault == "wrong-value" and asked.id == "t7" else 0))

    score.__annotations__ = {"asked": Asked, "return": Answer}
    served.post("/ml/score")(score)
    return served


if __name__ == "__main__":
    import uvicorn

    port, cert, key, what = sys.argv[1:]
    uvicorn.run(
        app(what, os.environ["STAGING_SECRET"]), host="127.0.0.1", port=int(port), ssl_certfile=cert, ssl_keyfile=key,
        log_level="warning",
    )  # fmt: skip
