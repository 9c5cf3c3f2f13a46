"""Every block of code in the documentation runs, is read, or says why it cannot."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from cyclopts import CycloptsError

from seatrial.cli import main
from seatrial.cli.app import app
from seatrial.fixtures.spec import Fixtures
from seatrial.policy.service import service_settings
from seatrial.policy.tool import ToolSettings
from tests.support.paths import ROOT
from tests.support.snippets import Block, blocks, command_lines, every_block, inline_commands, pages

LANGUAGES = {"python", "toml", "sh", "console", "text", "yaml", "json", "diff"}
NOT_RUN = 5  # blocks that cannot run; another one is a decision
ELSEWHERE = "docs/extending/"  # its Python is run with the conformance suites, which start servers
PLAYED = {
    "docs/tutorial/first-service.md": "tests/e2e/way_in",
    "docs/how-to/clearml.md": "tests/integration/registry/clearml",
}  # pages whose files and commands a test plays as a whole
WITH_PYTHON = [p for p in pages() if not p.startswith(ELSEWHERE) and any(b.language == "python" for b in blocks(p))]
COMMANDS = every_block("sh", "console")
GROUPS = {"checks", "targets", "faults", "sinks", "registries", "trackers", "fixtures"}


def test_every_block_has_a_language_and_few_do_not_run() -> None:
    """A block that is left out is counted, and its reason is a sentence."""
    found = every_block()
    assert len(found) > 100
    assert {str(b): b.language for b in found if b.language not in LANGUAGES} == {}
    left_out = [b for b in found if b.reason is not None]
    assert len(left_out) == NOT_RUN, [str(b) for b in left_out]
    assert all(len(str(b.reason).split()) > 3 for b in left_out)


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_the_python_of_a_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From top to bottom in one folder, as a reader would; where the next block is what is shown, it is compared."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    names: dict[str, Any] = {"__name__": "documented"}
    found, printed = blocks(page), ""
    for block in found:
        if block.titled:
            assert (ROOT / PLAYED[page]).exists(), f"{block} is a file of a project, and no test plays the page"
        elif block.language == "python" and block.reason is None:
            names |= {name: eval(f"lambda {given}: None") for name, given in block.yours.items()}
            exec(compile(block.text, str(block), "exec"), names)
            printed = capsys.readouterr().out
        elif block.language == "console" and block.text.startswith("$ seatrial diff "):
            (command,) = command_lines(block)
            with pytest.raises(SystemExit):
                main(command[1:])
            assert _stripped(block.text.partition("\n")[2]) == _stripped(capsys.readouterr().out)
        elif printed:
            assert (block.language, block.text) == ("text", printed), f"{block} is not what the block before it prints"
            printed = ""


def _stripped(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines() if line.strip()]


@pytest.mark.parametrize("block", every_block("toml"), ids=str)
def test_settings_of_a_page_are_read(block: Block) -> None:
    """By the models that read them in a project: a name or value that is refused there is refused here."""
    read = tomllib.loads(block.text)
    assert read or block.text.startswith("#:schema ")
    if groups := read.pop("project", {}).get("entry-points"):
        assert {name.removeprefix("seatrial.") for name in groups} <= GROUPS
    if block.page.startswith(ELSEWHERE):  # of what a package of the reader's would add
        return
    if tool := read.pop("tool", {}):
        assert set(tool) <= {"seatrial", "pytest"}
        ToolSettings.model_validate({"pipeline": "pipeline.py:pipeline", **tool.get("seatrial", {})})
    if {"fixtures", "budget"} & set(read):
        Fixtures.model_validate(read)
    elif read:
        service_settings(_whole(read))


def _whole(read: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a page with what they need beside them in a whole file."""
    if "load" in read and "slo" not in read:
        return {"slo": {"limit_ms": 250, "rate": 10}, **read}
    return read


@pytest.mark.parametrize("block", every_block("yaml", "json"), ids=str)
def test_data_of_a_page_is_read(block: Block) -> None:
    """YAML and JSON are whole documents."""
    assert json.loads(block.text) if block.language == "json" else yaml.safe_load(block.text)


@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_the_commands_of_a_page_are_there(block: Block) -> None:
    """The command line reads each command with its arguments, and would run it."""
    found = [words for words in command_lines(block) if os.path.basename(words[0]) == "seatrial"]
    for words in found:
        assert _refused(words[1:]) == "", words
    assert found or not re.search(r"^(\$ )?seatrial ", block.text, re.MULTILINE)


def _refused(words: list[str]) -> str:
    try:
        app.parse_args(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return str(error)
    return ""


def test_what_is_refused_is_seen() -> None:
    """The test above finds a misspelt command, option and value, and a missing argument."""
    for words in ("validat x", "validate x --sed 1", "validate x --seed one", "validate"):
        assert _refused(words.split()), words


@pytest.mark.parametrize("page", pages())
def test_the_commands_in_sentences_are_there(page: str) -> None:
    """Each names a command and options that it has; what it needs besides may be left out in a sentence."""
    for words in inline_commands(page):
        if not words[1].isupper():  # ``seatrial COMMAND --help``
            refused = _refused([word for word in words[1:] if word != "…"])
            assert not re.search("[Uu]nknown|[Uu]nused", refused), (words, refused)


def test_no_page_calls_a_command_by_its_path_and_later_without() -> None:
    """A reader whose environment is not active would find no command."""
    assert not [str(b) for b in COMMANDS if re.search(r"\.venv/bin/(?!activate)", b.text)]


def test_the_pipelines_of_a_page_are_the_files_to_copy() -> None:
    """``deployments/ci`` and the pages show the same."""
    for page, name in (("github-actions", "github.yml"), ("gitlab", "gitlab-ci.yml")):
        shown, *_ = [b.text for b in blocks(f"docs/how-to/{page}.md") if b.language == "yaml"]
        assert shown == (ROOT / "deployments" / "ci" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["github.yml", "gitlab-ci.yml"])
def test_the_commands_of_a_pipeline_are_there(name: str) -> None:
    """As the command line reads them."""
    text = (ROOT / "deployments" / "ci" / name).read_text(encoding="utf-8")
    lines = re.findall(r"^\s*- (?:run: )?(seatrial .*)$", text, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        (words,) = command_lines(Block(name, 0, "sh", line))
        assert _refused(words[1:]) == "", line


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "ARCHITECTURE.md", "deployments/README.md"]
)
def test_links_of_a_page_outside_of_the_site_hold(page: str) -> None:
    """Files and headings; those between pages of the site are looked at when it is built."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z+]+:", link):
            name, _, anchor = link.partition("#")
            path = ROOT / page if not name else (ROOT / page).parent / name
            assert path.exists(), link
            assert not anchor or anchor in _anchors(path), link


def _anchors(path: Path) -> set[str]:
    from pymdownx.slugs import slugify

    slug = slugify(case="lower")
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {slug(re.sub(r"[`*]", "", heading), "-") for heading in headings}
