"""Our own extensions, held to the suites that other packages hold theirs to."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import re
import shutil
from pathlib import Path

import pytest

from seatrial import plugins, testing
from seatrial.checks import named
from seatrial.errors import UsageError
from seatrial.registry.mlflow.registry import MLflowRegistry
from seatrial.testing.fixtures import source_conforms
from tests.support import fixture_data as data

IMITATED = {"source": "copula", "rows": 200, "seed": 5, "payload": "payload", "max_distance": 0.3}
DECLARED = {
    "fake": data.FAKE,
    "edges": {"source": "edges", "payload": "payload"},
    "copula": IMITATED,
}


@pytest.mark.parametrize("name", plugins.names("checks"))
def test_checks_conform(name: str) -> None:
    """A check ends each case once, on something, and says the same twice; without a service there is less to run."""
    testing.check_conforms(named([name])[0], testing.sample_trial())


@pytest.mark.parametrize("name", ["expectations", "golden"])
def test_checks_of_replays_find_skew(name: str) -> None:
    """A feature that serving doubles is found by each check that replays it."""
    testing.check_conforms(named([name])[0], testing.sample_trial(), broken=testing.sample_trial(skewed=True))


@pytest.mark.parametrize("name", plugins.names("faults"))
def test_faults_conform(name: str) -> None:
    """A scenario is named as registered and does something that is counted."""
    testing.fault_conforms(name, plugins.load("faults", name))


@pytest.mark.parametrize("name", plugins.names("sinks"))
def test_sinks_conform(name: str, tmp_path: Path) -> None:
    """Every outcome and hostile text, in one file."""
    testing.sink_conforms(plugins.load("sinks", name), tmp_path)


@pytest.mark.parametrize("name", DECLARED)
def test_sources_conform(name: str, tmp_path: Path) -> None:
    """A source makes what is declared, and the same again. The private one is not repeatable by design."""
    source_conforms(plugins.load("fixtures", name), DECLARED[name], tmp_path, data.reference(400))


def test_the_in_process_target_conforms() -> None:
    """The path itself, spoken to as a target; the wired ones are held to the suite in test_targets.py."""
    file = Path(__file__).with_name("linear_steps.py")
    frame = testing.sample_requests(6).rename(columns={"amount": "a"}).assign(b=1.0)[["id", "a", "b"]]
    testing.target_conforms(f"inprocess:{file}:linear", frame, key="id")


def test_the_mlflow_registry_conforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference implementation, on a database of the test's own."""
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(tmp_path / "artifacts"))
    from seatrial.registry.mlflow.client import client

    registry = MLflowRegistry()

    def register(name, model, reference):
        from mlflow.exceptions import MlflowException

        server = client()
        run = server.create_run(server.get_experiment_by_name("Default").experiment_id)
        server.log_artifacts(run.info.run_id, str(model), "model")
        if reference is not None:
            registry.store_reference(reference, run.info.run_id)
        with contextlib.suppress(MlflowException):  # it is there already
            server.create_registered_model(name)
        return str(server.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id).version)

    testing.registry_conforms(registry, "models", register, tmp_path)

    def read_back(run_id):
        run = client().get_run(run_id).data
        files = Path(client().download_artifacts(run_id, "", str(tmp_path / run_id)))
        content = {p.relative_to(files).as_posix(): p.read_bytes() for p in files.rglob("*") if p.is_file()}
        return testing.LoggedRun(run.tags["seatrial.verdict"], run.metrics, run.params, content)

    (tmp_path / "runs").mkdir()
    testing.tracker_conforms(registry.tracker, read_back, tmp_path / "runs")


@pytest.mark.parametrize(
    "module",
    ["plugins", "checks", "checks.base", "registry.lookup", "sinks.base", "faults.scenarios", "testing.samples",
     "testing.registration", "testing.faults", "testing.sinks", "testing.fixtures"],
)  # fmt: skip
def test_the_examples_in_docstrings_run(module: str) -> None:
    """What an author of an extension copies from a docstring works; the names it needs are imported for it."""
    found = importlib.import_module(f"seatrial.{module}")
    from seatrial import Check, Finding, Sink, checks, events, registry
    from seatrial.faults import responses, scenario

    names = {**vars(events), **vars(checks), **vars(responses), **vars(scenario), **vars(registry), **vars(found)}
    names |= {"Check": Check, "Finding": Finding, "Sink": Sink, "Path": Path}
    ran = doctest.testmod(found, extraglobs=names, optionflags=doctest.ELLIPSIS)
    assert ran.attempted > 0
    assert not ran.failed


PAGES = sorted((Path(__file__).parents[2] / "docs" / "extending").glob("*.md"))
WITH_CODE = [page.stem for page in PAGES if "```python" in page.read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", WITH_CODE)
def test_the_code_in_the_docs_runs(page: str, package) -> None:
    """Every Python block of a page, one after the other, as an author would type them; its tests are defined alone."""
    text = next(each for each in PAGES if each.stem == page).read_text(encoding="utf-8")
    names: dict[str, object] = {"__name__": "docs"}
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(block, f"docs/extending/{page}.md", "exec"), names)


def test_the_source_in_the_docs_conforms(package, tmp_path: Path) -> None:
    """With the entry point that the page shows, its own test passes."""
    text = next(each for each in PAGES if each.stem == "fixtures").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    package("docs-plugin", "[seatrial.fixtures]\ncounts = docs_plugin:make_counts\n", "\n".join(blocks))
    importlib.import_module("docs_plugin").test_it_conforms(tmp_path / "made")


# --- what is told where something is wrong ---------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that installs a package of that name with these entry points and this module."""

    def install(name: str, entry_points: str, module: str = "") -> None:
        about = tmp_path / f"{name.replace('-', '_')}-1.2.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (about / "entry_points.txt").write_text(entry_points)
        (tmp_path / f"{name.replace('-', '_')}.py").write_text(module)
        plugins.found.cache_clear()

    monkeypatch.syspath_prepend(tmp_path)
    yield install
    shutil.rmtree(tmp_path)
    plugins.found.cache_clear()


def test_two_packages_with_one_name_are_both_named(package) -> None:
    """Whichever would win would be a surprise: neither does."""
    package("one-plugin", "[seatrial.sinks]\nslack = one_plugin:Slack\n")
    package("two-plugin", "[seatrial.sinks]\nslack = two_plugin:Slack\n")
    with pytest.raises(UsageError, match=r"Sink 'slack' is defined by two .* one-plugin and two-plugin"):
        plugins.names("sinks")


def test_one_of_ours_cannot_be_replaced(package) -> None:
    """A package that registers 'golden' would decide what passes."""
    package("evil-plugin", "[seatrial.checks]\ngolden = evil_plugin:check\n")
    with pytest.raises(UsageError, match="seatrial and evil-plugin"):
        plugins.load("checks", "golden")


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("import nowhere_at_all", "No module named 'nowhere_at_all'"),
        ("def (", "SyntaxError"),
        ("raise RuntimeError('no licence')", "no licence"),
        ("", "has no attribute 'check'"),
    ],
)
def test_a_package_that_cannot_be_imported_is_named(package, module: str, said: str) -> None:
    """Whatever its module raises: the package, the place, the reason, what to do."""
    package("bad-plugin", "[seatrial.checks]\nbad = bad_plugin:check\n", module)
    with pytest.raises(UsageError, match=r"Check 'bad' of package bad-plugin cannot be imported") as told:
        named(["bad"])
    assert said in str(told.value)
    assert "Repair or uninstall bad-plugin" in str(told.value)


def test_what_is_no_extension_of_its_kind_is_refused(package) -> None:
    """Each kind says what it must be, and whose it is."""
    package(
        "odd-plugin",
        "[seatrial.checks]\nodd = odd_plugin:thing\n[seatrial.faults]\nodd = odd_plugin:make\n"
        "[seatrial.sinks]\nodd = odd_plugin:make\n[seatrial.registries]\nodd = odd_plugin:none\n",
        "thing = 3\ndef make(_): return 3\ndef none(): return 3\n",
    )
    from seatrial.faults.scenarios import scenarios
    from seatrial.policy.failures import FailurePolicy
    from seatrial.registry import lookup
    from seatrial.sinks.base import make_sink

    for call, must in (
        (lambda: named(["odd"]), "a seatrial.Check named 'odd'"),
        (lambda: scenarios(FailurePolicy(), ("tcp",), ["odd"]), "a function that returns a Scenario named 'odd'"),
        (lambda: make_sink("odd", Path("x")), "a class derived from seatrial.Sink"),
        (lambda: lookup.named("odd"), "a seatrial.registry.Registry"),
    ):
        with pytest.raises(UsageError, match="'odd' of package odd-plugin is int 3; it must be ") as told:
            call()
        assert must in str(told.value)


def test_a_name_that_is_misspelt_is_told_with_the_nearest() -> None:
    """In every group."""
    with pytest.raises(UsageError, match="Did you mean 'junit'"):
        plugins.load("sinks", "junti")
    with pytest.raises(UsageError, match="Did you mean 'models'"):
        plugins.load("registries", "model")
