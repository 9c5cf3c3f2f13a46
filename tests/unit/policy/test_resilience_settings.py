"""[resilience] of service.toml: where a service in a container reaches the proxies, or why that cannot be so."""

import pytest

from seatrial.errors import PolicyError
from seatrial.policy.service import service_settings


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"bind": "docker0"}, r"\[resilience\]: 'bind' must be an IP address of this machine; found 'docker0'"),
        ({"host": "host.docker.internal:80"}, "'host' must be a host name or an IP address, without a port"),
        ({"host": "http://here"}, "'host' must be a host name"),
        ({"bind": "0.0.0.0"}, "'host' is required where bind is 0.0.0.0"),
        ({"bind": "::"}, "'host' is required where bind is ::"),
        ({"hots": "here"}, "Did you mean 'host'"),
    ],
)
def test_an_address_that_cannot_be_is_refused(table, says):
    """With the place, what is allowed and an example."""
    with pytest.raises(PolicyError, match=says):
        service_settings({"resilience": table})


@pytest.mark.parametrize(
    ("table", "apart"),
    [
        ({}, False),
        ({"host": "host.docker.internal"}, True),
        ({"bind": "172.17.0.1"}, True),
        ({"bind": "::1", "host": "::1"}, True),
    ],
)
def test_by_default_the_service_shares_the_loopback(table, apart):
    """Stating either says that it does not."""
    assert service_settings({"resilience": table}).resilience.apart is apart
