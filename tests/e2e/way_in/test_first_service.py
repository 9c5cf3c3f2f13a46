"""A new user follows the tutorial, word by word, with each kind of service: the first validation passes."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.tutorial import Played, environ, play, sections
from tests.support.waiting import until

pytestmark = pytest.mark.server
PAGE = sections("tutorial/first-service.md")
FASTAPI, FLASK, RUNNING = "FastAPI", "Flask with gunicorn", "A service that runs already"
MOST_LINES = 60


def played(name: str, folder: Path, said: dict[str, str] | None = None, *, prefect: str = "") -> Played:
    """Play a section, print how long its commands took, and check what holds for all of them.

    The first section is played as by somebody who has nothing; for the others a Prefect server runs already.
    """
    done = play(PAGE[name], folder, said, {"PREFECT_API_URL": prefect} if prefect else None)
    sys.stdout.write("".join(f"{seconds:7.1f} s  {command}\n" for command, seconds in done.seconds.items()))
    assert done.written < MOST_LINES
    validations = [code for command, code in done.ended.items() if command.startswith("seatrial validate")]
    assert validations[0] == 0, "the first validation passes"
    return done


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Played]:
    """The folder of the first section, followed to its end, with the planted bug undone."""
    folder = tmp_path_factory.mktemp("fastapi")
    done = played(FASTAPI, folder)
    features = folder / "features.py"
    features.write_text(features.read_text().replace("// 12,", "/ 12,"))
    return folder, done


@pytest.fixture
def address(followed: tuple[Path, Played]) -> Iterator[str]:
    """The service of the first section, started as the page says."""
    repository = followed[0]
    line = next(block.text for block in PAGE[RUNNING] if block.language == "sh")
    port = free_port()
    words = shlex.split(line.replace("8000", str(port)))
    variables = dict(word.split("=", 1) for word in words if "=" in word)
    log = (repository / "service.log").open("w")
    command = [word for word in words if "=" not in word]
    with subprocess.Popen(command, cwd=repository, env=environ() | variables, stdout=log, stderr=log) as service:
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(url), "the service answers")
        yield url
        service.terminate()


def answers(url: str) -> bool:
    import httpx

    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


def write_training(folder: Path) -> None:
    """Write the files of the first section, without its service."""
    for block in PAGE[FASTAPI]:
        if block.language == "python" and block.title != "app.py":
            (folder / block.title).write_text(block.text)


def test_fastapi_with_plain_mlflow(followed: tuple[Path, Played]) -> None:
    """Train, init, one line, doctor, capture, a pass; then a planted bug is found at its stage and column."""
    folder, done = followed
    assert list(done.ended.values()) == [0, 0, 0, 0, 0, 1]
    assert not (folder / "flows").exists()


def test_flask_behind_gunicorn(tmp_path: Path, prefect_beside: str) -> None:
    """Features are computed by the handler itself: a bug in it is found at the service."""
    write_training(tmp_path)
    done = played(FLASK, tmp_path, prefect=prefect_beside)
    assert list(done.ended.values())[-1] == 1


def test_a_service_that_runs_already(address: str, tmp_path: Path, prefect_beside: str) -> None:
    """Its fields are those of its OpenAPI document."""
    write_training(tmp_path)
    played(RUNNING, tmp_path, {"http://127.0.0.1:8000": address}, prefect=prefect_beside)
    assert os.listdir(tmp_path).count("app.py") == 0
