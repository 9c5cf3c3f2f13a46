"""How a started service reaches its dependencies: at their own addresses, or from a container by others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seatrial.errors import TargetError
from seatrial.faults.addresses import addresses_of
from seatrial.faults.proxy.dependency import DependencyProxy, is_proxied
from seatrial.pipeline.address import is_loopback
from seatrial.process.engines import on_host_network
from seatrial.targets.launch import runs_elsewhere
from seatrial.trial import Trial


def reachable(trial: Trial, urls: Mapping[str, str]) -> Mapping[str, str]:
    """Return the addresses of dependencies that replace their own in the command of the trial's service.

    The loopback of a container is another one than this machine's. Where [resilience] says what the service calls this
    machine, dependencies on the loopback get a proxy that it reaches, for the whole trial.

    Args:
        trial: whose service it is.
        urls: dependency name to an address that is given already, such as that of a fault's proxy.

    Raises:
        TargetError: the service is in a container and is given an address that is another one there; what it answers
            then is no fault of the version.
    """
    local = {name: d.address for name, d in trial.pipeline.dependencies.items() if on_loopback(d.address)}
    reached = trial.policy.service.resilience
    if not reached.apart:
        _refuse_own_loopback(trial, local)
        return urls

    def forward() -> dict[str, str]:
        proxies = {name: DependencyProxy(url, bind=reached.bind, name=reached.host) for name, url in local.items()}
        return {name: trial.hold(proxy).through for name, proxy in proxies.items()}

    return {**trial.once("forwarded dependencies", forward), **urls}


def on_loopback(url: str) -> bool:
    """Return whether a dependency is reached over TCP at the loopback of this machine.

    Example:
        >>> on_loopback("redis://localhost:6379/0"), on_loopback("redis://db:6379/0"), on_loopback("sqlite:///a.db")
        (True, False, False)
    """
    if not is_proxied(url):
        return False
    return any(is_loopback(each.host) for each in addresses_of(url) if not each.path)


def _refuse_own_loopback(trial: Trial, local: Mapping[str, str]) -> None:
    service = trial.pipeline.service
    assert service is not None
    words: Sequence[str] = [*map(str, service.command), *service.env.values()]
    used = [name for name in local if any(f"{{{name}.url}}" in word for word in words)]
    if not used or not runs_elsewhere(service) or on_host_network(service.command):
        return
    at = next(each for each in addresses_of(local[used[0]]) if is_loopback(each.host))
    raise TargetError(
        f"The service runs in a container and is given '{{{used[0]}.url}}', which is at {at}: there, that is "
        "the container itself. Write below [resilience] in service.toml what the container calls this machine, and "
        'where it is reached: host = "host.docker.internal" and bind = "172.17.0.1" with docker, host = '
        '"host.containers.internal" with podman; host = "127.0.0.1" where it is on the host\'s network.'
    )
