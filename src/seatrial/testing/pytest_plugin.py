"""The pytest plugin: fixtures ``seatrial`` and ``seatrial_case``, the marker ``seatrial``, options ``--seatrial-…``.

Every pytest of an environment with seatrial loads this module, so it imports nothing but pytest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from seatrial.testing.validating import ProjectCase, ProjectTrial, Validations

MARKER = (
    "seatrial(checks=None, stages=None, reference=None, model=None, service=None): what the fixtures 'seatrial' and "
    "'seatrial_case' validate in this test; what is not given comes from the options --seatrial-…, then from the "
    "settings seatrial_… of pytest."
)
OPTIONS = {
    "project": ("DIR", "directory of the project; by default pytest's rootdir"),
    "reference": ("REFERENCE", "directory of a reference, or models:/NAME/VERSION; by default the directory reference"),
    "model": ("MODEL", "directory of the model, or models:/NAME/VERSION; by default that of the reference's version, "
              "or the directory model"),
    "checks": ("NAMES", "checks to run, separated by commas; by default all"),
    "seed": ("N", "random seed; by default 0"),
}  # fmt: skip
SWITCHES = {
    "service": "start the pipeline's service, and run the checks of it too",
    "worker": "run the stages in a worker, as 'seatrial validate' does, and not in this process",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, and the settings of the same names."""
    group = parser.getgroup("seatrial", "integration tests of ML services")
    for name, (metavar, what) in OPTIONS.items():
        group.addoption(f"--seatrial-{name}", metavar=metavar, help=what)
        parser.addini(f"seatrial_{name}", f"as --seatrial-{name}: {what}", default="")
    for name, what in SWITCHES.items():
        group.addoption(f"--seatrial-{name}", action="store_true", default=None, help=what)
        parser.addini(f"seatrial_{name}", f"as --seatrial-{name}: {what}", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", MARKER)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each case, for a test that takes ``seatrial_case``: one check on one stage."""
    if "seatrial_case" in metafunc.fixturenames:
        cases = _validations(metafunc.config).cases_of(metafunc.definition)
        metafunc.parametrize("seatrial_case", cases, ids=[case.id for case in cases], indirect=True)


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in a hook of the same name
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests that share a model, or a service, in one process of pytest-xdist."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            used = {"seatrial", "seatrial_case"} & {*getattr(item, "fixturenames", ())}
            if used and item.get_closest_marker("xdist_group") is None:
                item.add_marker(pytest.mark.xdist_group("seatrial"))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what the tests started: services and workers."""
    if (validations := session.config.stash.get(_KEY, None)) is not None:
        validations.close()


@pytest.fixture
def seatrial(request: pytest.FixtureRequest) -> ProjectTrial:
    """The project's pipeline on trial: ``seatrial.validate()`` fails the test unless every case passes.

    Nothing is loaded or started before it is asked for.
    """
    return _validations(request.config).trial_of(request.node)


@pytest.fixture
def seatrial_case(request: pytest.FixtureRequest) -> Iterator[ProjectCase]:
    """One case, a check on a stage: ``seatrial_case.validate()``. The test is made once for each case."""
    case: ProjectCase = request.param
    case.begin()
    yield case
    case.end()


_KEY = pytest.StashKey["Validations"]()


def _validations(config: pytest.Config) -> Validations:
    if _KEY not in config.stash:
        from seatrial.testing.validating import Validations

        option = {name: _setting(config, name) for name in (*OPTIONS, *SWITCHES)}
        config.stash[_KEY] = Validations(option, config.rootpath)
    return config.stash[_KEY]


def _setting(config: pytest.Config, name: str) -> Any:
    given = config.getoption(f"--seatrial-{name}")
    return config.getini(f"seatrial_{name}") if given is None else given
