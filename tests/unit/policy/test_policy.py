"""A policy is read strictly: what is misspelt or of the wrong type is refused with its file, never passed over."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from seatrial import Dependency, Pipeline, Policy, Tolerance
from seatrial.errors import PolicyError

PIPELINE = Pipeline(
    "p", key="id", raw=lambda f: f, features=lambda f, store: f,
    dependencies=[Dependency("store", "", connect=str)],
)  # fmt: skip

GOOD = """
    from seatrial import Quality, Tolerance
    from seatrial.parity.tolerance import Tolerance as T

    LIMIT = 3
    _tolerance = 4
    tolerances = {"x": Tolerance(rtol=1e-3), "y": T(atol=LIMIT)}
    show = ["country"]
    quality = Quality(label="y", score="s", limits={"roc_auc": 0.8})

    def expectations(reference):
        return []
"""


def policy(tmp_path: Path, text: str | None = None, *, name: str = "features.py", toml: str | None = None) -> Policy:
    if text is not None:
        (tmp_path / name).write_text(textwrap.dedent(text))
    if toml is not None:
        (tmp_path / "service.toml").write_text(textwrap.dedent(toml))
    return Policy.load(tmp_path, PIPELINE)


def test_a_policy_holds_what_its_files_say(tmp_path):
    """Settings by stage; helpers of a file's own are left alone; a stage without a file has the defaults."""
    found = policy(tmp_path, GOOD, toml="[promotion]\nalias = 'champion'\n[dependencies.store]\nlive = true\n")
    assert found.of("features").tolerances["x"] == Tolerance(rtol=1e-3)
    assert found.of("features").show == ["country"]
    assert found.of("raw") == Policy().of("raw")
    assert (found.promote, found.live) == ("champion", ["store"])
    assert (Policy().promote, Policy().live) == (None, [])


def test_the_digest_is_of_the_policy_alone(tmp_path):
    """Reading it twice gives one digest, though Python leaves compiled files beside; what it says gives another."""
    first = policy(tmp_path, GOOD).digest
    assert policy(tmp_path).digest == first
    assert policy(tmp_path, GOOD + "    # stricter\n").digest == first
    assert policy(tmp_path, GOOD.replace("0.8", "0.9")).digest != first
    assert policy(tmp_path, toml="").digest != first


@pytest.mark.parametrize(
    "name", [".raw.py.swp", "raw.py~", "#raw.py#", ".#raw.py", "._raw.py", ".DS_Store", "contract/shop/.old.json"]
)
def test_what_editors_leave_is_no_policy(name, tmp_path):
    """It is not read, belongs to no stage, and does not change the digest."""
    first = policy(tmp_path, GOOD).digest
    [root] = [path.parent for path in tmp_path.rglob("*.py")]
    (left := root / name).parent.mkdir(parents=True, exist_ok=True)
    left.write_text("no policy {")
    assert policy(tmp_path).digest == first


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tolerance = {}", "Setting 'tolerance' is not known. Known: tolerances.*Did you mean 'tolerances'"),
        ("def expectation(reference): return []", "Setting 'expectation' is not known.*Did you mean 'expectations'"),
        ("shows = ['x']", "Setting 'shows' is not known.*Did you mean 'show'"),
        ("tolerances = [1]", "'tolerances' maps column names to seatrial.Tolerance"),
        ("tolerances = {'x': 1e-3}", "'tolerances' maps column names to seatrial.Tolerance"),
        ("expectations = []", "'expectations' is a function of the reference that returns a list"),
        ("quality = {'auc': 0.8}", r"'quality' is a seatrial.Quality\(...\)"),
        (
            "from seatrial import Quality\n\nquality = Quality(label='y', score='s', limits={'auc': 0.8})",
            r"features.py, line 3: Metric 'auc' is not known.*Did you mean 'roc_auc'",
        ),
        ("show = 'country'", "'show' is a list of column names"),
        ("show = [1]", "'show' is a list of column names"),
        ("show = True", "'show' is a list of column names"),
        ("def f(:", r"features.py, line 1: .* The file does not parse"),
        ("\n\nraise KeyError('x')", r"features.py, line 3: KeyError: 'x'. The file could not be loaded"),
        ("import nothing_of_the_kind", r"features.py, line 1: ModuleNotFoundError"),
        ("import sys\nsys.exit(0)", r"features.py, line 2: SystemExit: 0. The file could not be loaded"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(text, says, tmp_path):
    """Misspelt, of another type, or a file that does not load: its path, what is allowed, the nearest match."""
    with pytest.raises(PolicyError, match=says) as caught:
        policy(tmp_path, text)
    assert "features.py" in str(caught.value)


def test_a_file_of_no_stage_is_refused(tmp_path):
    """A policy for a stage that is not there would check nothing."""
    with pytest.raises(PolicyError, match=r"feature.py belongs to no stage.*Did you mean 'features'"):
        policy(tmp_path, "", name="feature.py")


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("[promotions]", "table 'promotions' is not known.*Did you mean 'promotion'"),
        ("[promotion]\naliass = 'x'", r"\[promotion\]: setting 'aliass' is not known. Known: alias.*mean 'alias'"),
        (
            "[promotion]\nalias = 3",
            r"\[promotion\]: 'alias' must be a string; found 3. Example: alias = \"champion\"\.",
        ),
        ("promotion = 'champion'", r"'promotion' must be a table, \[promotion\]; found \"champion\"\."),
        ("[dependencies.stor]\nlive = true", "dependency 'stor' is not known. Known: store.*mean 'store'"),
        ("[dependencies.store]\nlife = true", r"\[dependencies.store\]: setting 'life' is not known.*mean 'live'"),
        ("[dependencies.store]\nlive = 'yes'", "'live' must be true or false; found \"yes\"."),
        ("[dependencies]\nstore = true", r"'store' must be a table, \[dependencies.store\]; found true."),
        ("dependencies = 1", r"'dependencies' must be a table, \[dependencies\]; found 1."),
        ("[promotion\n", "service.toml is not TOML"),
        ("[mutation]\nminimum = 1.5", "must be a number above 0 and at most 1; found 1.5"),
        ("[mutation]\nminimun = 0.9", "Did you mean 'minimum'"),
    ],
)
def test_service_toml_is_strict(toml, says, tmp_path):
    """An unknown name or another type is refused with the nearest match: a setting must not be without effect."""
    with pytest.raises(PolicyError, match=says) as caught:
        policy(tmp_path, toml=toml)
    assert "service.toml" in str(caught.value)


def test_text_that_is_not_unicode_is_refused(tmp_path):
    """A file in another encoding is not guessed at."""
    (tmp_path / "service.toml").write_bytes(b"[promotion]\nalias = '\xff'")
    with pytest.raises(PolicyError, match=r"service.toml is not TOML"):
        policy(tmp_path)


def test_no_policy_is_said(tmp_path):
    """A directory that is not there is a mistake; an empty one is a policy of defaults."""
    with pytest.raises(PolicyError, match=r"There is no policy at .*nowhere. Create the folder, or correct"):
        Policy.load(tmp_path / "nowhere", PIPELINE)
    assert Policy.load(tmp_path / "nowhere", PIPELINE, optional=True) == policy(tmp_path)
    assert policy(tmp_path).stages == {}
