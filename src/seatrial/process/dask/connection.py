"""The connection to a Dask cluster, and what its workers have to be."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from seatrial.errors import TargetError, UsageError

CONNECT_SECONDS = 10.0


@contextmanager
def connected(address: str, setting: str, security: Any = None) -> Iterator[Any]:
    """Connect to a Dask cluster by the address of its scheduler, until the block ends.

    Args:
        address: such as ``tcp://10.0.0.5:8786``.
        setting: what names the cluster, for messages, such as ``[load] cluster in service.toml``.
        security: a ``distributed.Security``; by default as Dask's own settings say.

    Yields:
        A ``distributed.Client``.

    Raises:
        UsageError: Dask is not installed, or has no certificate for a cluster with TLS.
        TargetError: no scheduler answers there.
    """
    try:
        from distributed import Client, Security
    except ImportError as error:
        raise no_dask(setting, error) from error
    reach(address, setting)
    if address.startswith("tls:") and not (security or Security()).get_connection_args("client")["ssl_context"]:
        raise UsageError(
            f"The Dask cluster at {address} wants TLS, and Dask has no certificate to connect with. Name it in "
            "Dask's own settings: DASK_DISTRIBUTED__COMM__TLS__CA_FILE, and …__CLIENT__CERT and …__CLIENT__KEY."
        )
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False, security=security)
    except (OSError, RuntimeError) as error:
        raise no_scheduler(address, setting, error) from error
    with client:
        yield client


def no_dask(setting: str, error: ImportError) -> UsageError:
    """Return the error that says what to install."""
    return UsageError(f"{setting} needs Dask, which is not installed ({error}). Type: pip install 'seatrial[dask]'")


def reach(address: str, setting: str) -> None:
    """Raise TargetError unless something listens at the address of a scheduler."""
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), CONNECT_SECONDS).close()
    except OSError as error:
        raise no_scheduler(address, setting, error) from error


def no_scheduler(address: str, setting: str, error: Exception) -> TargetError:
    """Return the error that says that no scheduler answers, and how one is started."""
    return TargetError(
        f"No Dask scheduler answers at {address} ({error}). Check {setting}. A scheduler is started by "
        "'dask scheduler', its workers by 'dask worker ADDRESS'."
    )


def require_same_seatrial(client: Any, address: str, workers: Sequence[str] | None = None) -> dict[str, str]:
    """Return on what network each worker is; see :func:`network`.

    Args:
        client: of the cluster.
        address: of its scheduler.
        workers: their addresses; all by default.

    Raises:
        TargetError: seatrial cannot be imported there, or is another version.
    """
    own, _ = about()
    try:
        known = client.run(about, workers=workers)
    except ImportError as error:
        raise TargetError(
            f"A Dask worker at {address} cannot import seatrial ({error}). Install seatrial {own} there."
        ) from error
    if others := [f"{a}: {version}" for a, (version, _) in known.items() if version != own]:
        raise TargetError(
            f"The Dask workers have another seatrial than this one, {own}: {', '.join(others)}. Install "
            f"seatrial {own} there."
        )
    return {worker: there for worker, (_, there) in known.items()}


def all_here(client: Any) -> bool:
    """Whether all workers of a cluster have the loopback addresses of this process; not where it cannot be told."""
    try:
        return {there for _, there in client.run(about).values()} <= {network()}
    except ImportError:
        return False


def about() -> tuple[str, str]:
    """Return the version of seatrial and the network of this process; a worker runs it."""
    try:
        return metadata.version("seatrial"), network()
    except metadata.PackageNotFoundError:  # on the path, and not installed
        return "", network()


def network() -> str:
    """Return what this process's loopback addresses belong to: machine and, in a container, its network namespace."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + os.readlink("/proc/self/ns/net")
    except OSError:
        return f"{socket.gethostname()} {uuid.getnode():x}"
