"""A proxy on a socket file, for a dependency that listens on one."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path

from seatrial.errors import TargetError
from seatrial.faults.addresses import Address
from seatrial.faults.proxy.connection import ProxiedConnection
from seatrial.faults.proxy.tcp import TcpProxy

_SHOWN = (f"/run/user/{os.getuid()}", "/run")  # a sandbox shows these to the service, and no temporary folders


class UnixProxy(TcpProxy):
    """A proxy on a socket file, in a private folder of its own, that passes everything to the dependency.

    Args:
        name: of the socket file, since clients of PostgreSQL know the folder alone.
        upstream: where it passes to: the dependency's socket file, or a host and port.
        seed: decides which connections a fault's toxicity hits.

    Raises:
        TargetError: the proxy cannot listen.
    """

    def __init__(self, name: str, upstream: Address, *, seed: int = 0) -> None:
        super().__init__(upstream.host, upstream.port, seed=seed)
        self._name, self._to = name, upstream

    def __enter__(self) -> UnixProxy:
        within = next((each for each in _SHOWN if os.access(each, os.W_OK)), None)
        self._folder = Path(tempfile.mkdtemp(prefix="seatrial-", dir=within))
        try:
            super().__enter__()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *error: object) -> None:
        try:
            super().__exit__(*error)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def place(self) -> Address:
        """The socket file of the proxy."""
        return Address(path=str(self._folder / self._name))

    def _listener(self) -> socket.socket:
        path = self._folder / self._name
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(path))
        except OSError as error:
            listener.close()
            raise TargetError(f"The proxy cannot listen on {path}: {error}.") from error
        return listener

    async def _connect_upstream(self, connection: ProxiedConnection) -> None:
        if self._to.path:
            await connection.loop.create_unix_connection(lambda: connection.server, self._to.path)
        else:
            await super()._connect_upstream(connection)
