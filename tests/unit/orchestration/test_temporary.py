"""A temporary server finds its database ready, unless that may be another than the one that is looked at."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from seatrial.orchestration.temporary.database import Database
from seatrial.orchestration.temporary.settings import settings

HEAD = "a3b9c7d2e5f1"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a directory without Prefect's own settings."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def made(file: Path, revision: str = HEAD, runs: int = 0) -> None:
    """Make what a server makes: tables of a revision, and runs."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES (?)", [revision])
        database.execute("CREATE TABLE flow_run (id INTEGER)")
        database.executemany("INSERT INTO flow_run VALUES (?)", [[n] for n in range(runs)])
        database.commit()


def database(tmp_path: Path, name: str, **more: str) -> Database:
    """Return the database of a project of that name; all projects share one cache."""
    return Database({"PREFECT_HOME": str(tmp_path / name), **more}, tmp_path / "cache")


def with_template(tmp_path: Path) -> None:
    """Let the first server of this machine start, and leave its template."""
    first = database(tmp_path, "first")
    assert not first.prepare()  # a cold machine: the server makes its tables itself
    made(tmp_path / "first" / "prefect.db")
    first.keep_template()


def test_a_new_project_finds_the_tables_that_the_first_server_of_the_machine_made(tmp_path: Path) -> None:
    """Readable by its user alone, with nothing beside it."""
    with_template(tmp_path)
    assert database(tmp_path, "second").prepare()
    [file] = (tmp_path / "second").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    with closing(sqlite3.connect(file)) as copied:
        assert copied.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]


def test_a_database_with_runs_keeps_them_and_never_becomes_the_template(tmp_path: Path) -> None:
    """It is left as it is, whether its tables are those of this release or not."""
    made(tmp_path / "old" / "prefect.db", revision="of-another-release", runs=3)
    old = database(tmp_path, "old")
    assert not old.prepare()
    old.keep_template()
    assert not (tmp_path / "cache").exists()
    with_template(tmp_path)
    assert not database(tmp_path, "old").prepare()
    made(tmp_path / "used" / "prefect.db", runs=3)
    assert database(tmp_path, "used").prepare()
    for name in ("old", "used"):
        with closing(sqlite3.connect(tmp_path / name / "prefect.db")) as kept:
            assert kept.execute("SELECT count(*) FROM flow_run").fetchone() == (3,)


@pytest.mark.parametrize(
    "name", ["PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_HOST", "PREFECT_PROFILE"]
)
def test_a_variable_that_may_name_another_database_leaves_it_to_prefect(tmp_path: Path, name: str) -> None:
    """No file is made, and the server looks at the tables of its own database."""
    with_template(tmp_path)
    assert not database(tmp_path, "second", **{name: "x"}).prepare()
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize("file", ["prefect.toml", ".env", "pyproject.toml", "../second/profiles.toml"])
def test_a_file_that_may_name_another_database_leaves_it_to_prefect(tmp_path: Path, file: str) -> None:
    """Prefect reads each of them."""
    with_template(tmp_path)
    (tmp_path / "second").mkdir()
    Path(file).write_text("[tool.prefect.server.database]\n")
    assert not database(tmp_path, "second").prepare()


def test_a_pyproject_that_says_nothing_of_prefect_does_not_matter(tmp_path: Path) -> None:
    """It is there in every project."""
    with_template(tmp_path)
    Path("pyproject.toml").write_text("[tool.seatrial]\n")
    assert database(tmp_path, "second").prepare()


@pytest.mark.parametrize("damage", [b"", b"no database at all"])
def test_a_damaged_template_is_not_used(tmp_path: Path, damage: bytes) -> None:
    """The server makes its tables itself."""
    with_template(tmp_path)
    [template] = (tmp_path / "cache").iterdir()
    template.write_bytes(damage)
    assert not database(tmp_path, "second").prepare()
    assert not (tmp_path / "second").exists()


def test_a_cache_that_cannot_be_written_costs_the_template_alone(tmp_path: Path) -> None:
    """As where a home directory is read-only."""
    (tmp_path / "cache").write_text("a file")
    with_template(tmp_path)
    assert not database(tmp_path, "second").prepare()


def test_what_the_environment_sets_itself_is_kept() -> None:
    """The address of the API alone is not: the server would ask itself."""
    given = {"PREFECT_API_URL": "http://127.0.0.1:1/api", "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "true"}
    found = settings(given, migrated=False)
    assert "PREFECT_API_URL" not in found
    assert found["PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED"] == "true"
    assert found["PREFECT_SERVER_SERVICES_FOREMAN_ENABLED"] == "false"
    assert "PREFECT_API_DATABASE_MIGRATE_ON_START" not in found
