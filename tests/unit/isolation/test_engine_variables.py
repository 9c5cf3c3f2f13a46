"""The environment of a container engine's client: it finds its daemon and its images, and no key of the judge."""

from seatrial.isolation.environment import cleaned, engine_variables

HERE = {
    "PATH": "/usr/bin", "HOME": "/home/ann", "XDG_RUNTIME_DIR": "/run/user/1000", "DOCKER_HOST": "unix:///d.sock",
    "CONTAINERS_CONF": "/c.conf", "SEATRIAL_SIGNING_KEY": "/k", "MLFLOW_TRACKING_TOKEN": "t", "OWN": "x", "OTHER": "y",
}  # fmt: skip


def test_a_client_gets_what_it_needs_and_what_is_named():
    """Its home is the user's: images and credentials of the registry are there."""
    given = engine_variables(HERE, ("OWN",))
    assert given == {
        n: v for n, v in HERE.items() if n not in ("SEATRIAL_SIGNING_KEY", "MLFLOW_TRACKING_TOKEN", "OTHER")
    }
    assert engine_variables(HERE, None) == HERE


def test_the_worker_gets_none_of_it(tmp_path):
    """With the daemon's address it could leave its isolation."""
    given = cleaned(HERE, (), home=tmp_path, mark="m")
    assert not {"XDG_RUNTIME_DIR", "DOCKER_HOST", "CONTAINERS_CONF"} & set(given)
    assert given["HOME"] == str(tmp_path)
