"""The policy of a run, found by its digest in the folder or in a commit; and who set each of its files, when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seatrial.policy.digest import digest_of, meaning, policy_files
from seatrial.promotion.assurance.repository import Commit, History, NoHistory, history_of

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Origin:
    """Who set a file of a policy.

    Attributes:
        author: who committed what it says, or ``unknown``.
        at: when, seconds since 1970; 0 where that is unknown.
        commit: the id of the commit; empty where there is none.
        counted: whether that was before the run.
        reason: in a sentence, why it is not counted, or why the author is not known; empty otherwise.
    """

    author: str = UNKNOWN
    at: int = 0
    commit: str = ""
    counted: bool = False
    reason: str = ""


@dataclass(frozen=True)
class PolicyThen:
    """The policy of a run.

    Attributes:
        files: their content, by path; None where neither the folder nor a commit has what was signed.
        origins: who set each file.
        changed: whether the folder says something else now.
        reason: in a sentence, why the files are not known; empty where they are.
    """

    files: Mapping[str, bytes] | None
    origins: Mapping[str, Origin]
    changed: bool
    reason: str = ""


def policy_then(folder: Path, digest: str, began: float) -> PolicyThen:
    """Return the policy with a digest, and who set it.

    A commit from before the run is preferred to the folder, and that to a commit from after it.

    Args:
        folder: of the policy, in a work tree or not.
        digest: of the policy, as it was signed.
        began: when the run began, seconds since 1970.
    """
    now = policy_files(folder)
    same = digest_of(now) == digest
    try:
        history = history_of(folder)
        found = _commit_with(history, digest, began)
        if found is None and not same:
            return PolicyThen(None, {}, not same, f"{_ELSEWHERE} none of its commits that are here says the same.")
        base, files = (found.id, history.files(found.id)) if found else ("HEAD", now)
        origins = {name: _origin(history, base, name, content, began) for name, content in files.items()}
        return PolicyThen(files, origins, not same)
    except NoHistory as error:
        if not same:
            return PolicyThen(None, {}, True, f"{_ELSEWHERE} its history cannot be read: {error}.")
        nobody = Origin(reason=f"Who set it, and when, is unknown: {error}.")
        return PolicyThen(now, dict.fromkeys(now, nobody), changed=False)


_ELSEWHERE = "The policy of the run is not known: the folder says something else now, and"


def _commit_with(history: History, digest: str, began: float) -> Commit | None:
    """Return the newest commit before the run with this policy; else the oldest one after it; else None."""
    after = None
    for commit in history.commits():
        if digest_of(history.files(commit.id)) == digest:
            if commit.at <= began:
                return commit
            after = commit
    return after


def _origin(history: History, base: str, name: str, content: bytes, began: float) -> Origin:
    """Return the oldest commit since which a file has said the same."""
    said, setter = meaning(name, content), None
    for commit in history.commits(base, name):
        there = history.files(commit.id).get(name)
        if there is None or meaning(name, there) != said:
            break
        setter = commit
    if setter is None:
        return Origin(reason="It is not committed, so nobody can tell whether it is older than the run.")
    counted = setter.at <= began
    reason = "" if counted else "It was committed after the run began."
    if setter.id in history.shallow:
        unseen = "The clone is shallow, so who set it is unknown: git fetch --unshallow"
        return Origin(UNKNOWN, setter.at, setter.id, counted, f"{reason} {unseen}".strip())
    return Origin(setter.author, setter.at, setter.id, counted, reason)
