"""The checkout of a project: from where, and at which commit, a run can clone it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from seatrial.errors import ProjectError, UsageError
from seatrial.formatting import without_user
from seatrial.orchestration.prefect_api import client

TOKEN = "secret"  # noqa: S105  the type of a block
_AS_A_PATH = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)")  # how git writes an address of ssh


@dataclass(frozen=True)
class Checkout:
    """A commit that can be cloned.

    Attributes:
        repository: address of the repository, without credentials.
        commit: the id of the commit, in full.
        folder: where the project is in the repository; empty for its root.
    """

    repository: str
    commit: str
    folder: str

    def pull_steps(self, credentials: str = "") -> list[dict[str, Any]]:
        """Return Prefect's pull steps that clone the commit and go to the project.

        Args:
            credentials: TYPE/NAME of the block that Prefect reads what git signs in with from; empty for none.

        Example:
            >>> clone, go = Checkout("https://git.example/shop.git", "5f1c", "").pull_steps("secret/git")
            >>> clone["prefect.deployments.steps.git_clone"]["access_token"]
            '{{ prefect.blocks.secret.git }}'
        """
        kind, _, name = credentials.partition("/")
        named = f"{{{{ prefect.blocks.{kind}.{name} }}}}"
        given = {"access_token" if kind == TOKEN else "credentials": named} if name else {}
        clone = {"id": "clone", "repository": self.repository, "commit_sha": self.commit, **given}
        directory = f"{{{{ clone.directory }}}}/{self.folder}" if self.folder else "{{ clone.directory }}"
        return [
            {"prefect.deployments.steps.git_clone": clone},
            {"prefect.deployments.steps.set_working_directory": {"directory": directory}},
        ]


def find(root: Path, credentials: str = "") -> Checkout | None:
    """Return the commit that is checked out; None where the project is in no repository, or that has no remote.

    Args:
        root: of the project.
        credentials: with a block of credentials, an address of ssh becomes one of https, which they are for.

    Raises:
        ProjectError: files differ from the commit, it was not pushed, or its remote is a folder of this machine.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    remote = _remote(root) if top else ""
    if not remote:
        return None
    repository = _git(root, "remote", "get-url", remote)
    if urlsplit(repository).scheme in ("http", "https"):
        repository = without_user(repository)
    commit = _git(root, "rev-parse", "HEAD")
    if repository.startswith(("/", ".", "file:", "~")):
        raise ProjectError(
            f"The remote '{remote}' of this checkout is a folder of this machine, which no container reaches. Use the "
            f"address of a server: git remote set-url {remote} https://…"
        )
    if _git(root, "status", "--porcelain", "--untracked-files=no", "--", str(root)):
        raise ProjectError(
            f"Files of the project differ from commit {commit[:12]}, which the runs would clone. Commit and push them "
            "first: git commit -a && git push"
        )
    if not _git(root, "for-each-ref", "--count=1", "--contains", commit, "refs/remotes", "refs/pipelines"):
        raise ProjectError(
            f"Commit {commit[:12]} is on no branch of the remote '{remote}', so no run could clone it. Push it first: "
            "git push"
        )
    if credentials and (ssh := _AS_A_PATH.fullmatch(repository)):
        repository = f"https://{ssh[1]}/{ssh[2]}"
    if credentials and urlsplit(repository).scheme == "ssh":
        parts = urlsplit(repository)
        repository = f"https://{parts.hostname or ''}{parts.path}"
    return Checkout(repository, commit, _git(root, "rev-parse", "--show-prefix").rstrip("/"))


def check_credentials(block: str) -> None:
    """Refuse a name that is not TYPE/NAME of a block of the Prefect server.

    Raises:
        UsageError: it is not written like that.
        ProjectError: there is no such block.
    """
    from prefect.exceptions import ObjectNotFound

    kind, _, name = block.partition("/")
    if not (kind and name):
        raise UsageError(
            f"--git-credentials '{block}': write TYPE/NAME of a block of Prefect, such as secret/git-token or "
            "github-credentials/team"
        )
    with client("read the block of credentials") as prefect:
        try:
            prefect.read_block_document_by_name(name, kind, include_secrets=False)
        except ObjectNotFound:
            raise ProjectError(
                f"Prefect has no block '{block}'. See what there is: prefect block ls. A block of type secret is made "
                "in Prefect's pages, under Blocks."
            ) from None


def _remote(root: Path) -> str:
    """Return the remote of the branch that is checked out, else ``origin``, else the only one."""
    known = _git(root, "remote").split()
    branch = _git(root, "symbolic-ref", "--short", "--quiet", "HEAD")
    tracked = _git(root, "config", f"branch.{branch}.remote") if branch else ""
    wanted: list[str] = [tracked, "origin", *(known if len(known) == 1 else ())]
    return next((name for name in wanted if name in known), "")


def _git(root: Path, *words: str) -> str:
    """Return what git prints; empty where it fails, or is not installed."""
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(root), *words],  # noqa: S607  whichever git the user has
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return "" if done.returncode else done.stdout.strip()
