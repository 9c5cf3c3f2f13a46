"""Log one run, or confirm uploaded ones, in a process of its own: ``python -m seatrial.registry.wandb.upload``.

The wandb package replaces ``sys.exit`` and the exception hook, keeps its settings for the life of a process and waits
for uploads when the process ends. A judge that ran it could not end it, so it runs here, and the judge ends this
process when it takes too long. The request is JSON on standard input, the reply the last line of standard output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seatrial.registry.unavailable import is_unavailable
from seatrial.registry.wandb.content import COLUMNS, COMPLETE

INIT_SECONDS, FINISH_SECONDS, ARTIFACT_SECONDS, API_SECONDS = 30.0, 45.0, 45, 20


def main() -> int:
    """Do what standard input asks for; print the reply."""
    request = json.loads(sys.stdin.buffer.read())
    try:
        reply = ACTIONS[request["action"]](**request["arguments"])
    except Exception as error:  # noqa: BLE001  whatever the package raised is one sentence for the judge
        away = is_unavailable(error) or is_unavailable(getattr(error, "exc", None))
        reply = {"error": f"{type(error).__name__}: {error}", "away": away}
    sys.stdout.write("\n" + json.dumps(reply) + "\n")
    sys.stdout.flush()
    return int("error" in reply)


def log(content: Mapping[str, Any], artifacts: str, root: str, mode: str) -> dict[str, Any]:
    """Log the run of ``dataclasses.asdict(RunContent)``; return its folder and whether it is offline.

    Args:
        content: of the run.
        artifacts: the directory with the verdict's files.
        root: for the package's own ``wandb`` folder.
        mode: ``online``, ``offline``, or empty for online where there are credentials.
    """
    import wandb

    offline = mode == "offline" or (not mode and not _authenticated())
    if not offline and _complete(content):
        return {"folder": "", "offline": False}
    run = wandb.init(
        entity=content["entity"] or None,
        project=content["project"],
        dir=root,
        id=content["id"],
        name=content["name"],
        notes=content["notes"],
        tags=content["tags"],
        group=content["group"],
        job_type=content["job_type"],
        config=dict(content["config"]),
        mode="offline" if offline else "online",
        resume=None if offline else "allow",
        settings=_settings(),
    )
    run.log({"findings": wandb.Table(columns=list(COLUMNS), data=[list(row) for row in content["rows"]])})
    run.summary.update(dict(content["summary"]))
    report = _artifact(content["report"])
    report.add_dir(artifacts)
    logged = [run.log_artifact(report, aliases=list(content["report"]["aliases"]))]
    if reference := content["reference"]:
        entry = _artifact(reference)
        entry.add_reference(reference["address"], name="reference", checksum=False)
        logged.append(run.log_artifact(entry, aliases=list(reference["aliases"])))
    if not offline:
        for artifact in logged:
            artifact.wait(timeout=ARTIFACT_SECONDS)
        if content["link"]:
            report.link(content["link"], aliases=[content["report"]["aliases"][0]])
    run.summary.update({COMPLETE: True})
    where = run.settings.sync_dir
    run.finish(exit_code=content["exit_code"])
    return {"folder": where, "offline": offline}


def store(run: Mapping[str, str], artifact: Mapping[str, Any], files: str, root: str) -> dict[str, Any]:
    """Store a folder as an artifact, by a run that does nothing else.

    Args:
        run: ``entity``, ``project`` and ``id`` of that run.
        artifact: of ``dataclasses.asdict(LoggedArtifact)``.
        files: the folder.
        root: for the package's own ``wandb`` folder.
    """
    import wandb

    started = wandb.init(
        entity=run["entity"] or None, project=run["project"], id=run["id"], name=artifact["name"], job_type="capture",
        dir=root, mode="online", resume="allow", settings=_settings(),
    )  # fmt: skip
    made = _artifact(artifact)
    made.add_dir(files)
    started.log_artifact(made).wait(timeout=ARTIFACT_SECONDS)
    started.finish()
    return {}


def confirm(reports: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """Look up reports that were uploaded, and link each, with an alias, to a collection of the Registry.

    Args:
        reports: each with its path, ``entity/project/name:alias``, the collection, which may be empty, and the alias.

    Returns:
        The reports that are not as they should be: path to reason.
    """
    import wandb

    api, failed = wandb.Api(timeout=API_SECONDS), dict[str, str]()
    for path, collection, alias in reports:
        try:
            report = api.artifact(path)
            if collection:
                report.link(collection, aliases=[alias])
        except Exception as error:  # noqa: BLE001  the other reports are confirmed all the same
            failed[path] = f"{type(error).__name__}: {error}"
    return {"failed": failed}


def _artifact(described: Mapping[str, Any]) -> Any:
    import wandb

    return wandb.Artifact(described["name"], described["type"], metadata=dict(described["metadata"]))


def _authenticated() -> bool:
    """Return whether the environment, ``.netrc`` or the package's settings hold credentials for the server."""
    import wandb
    from wandb.sdk.lib import wbauth

    host = wandb.setup().settings.base_url
    return wbauth.authenticate_session(host=host, source="seatrial", prompt=False, update_session=False) is not None


def _complete(content: Mapping[str, Any]) -> bool:
    """Return whether the run of this verdict is there, with everything in it."""
    import wandb

    try:
        api = wandb.Api(timeout=API_SECONDS)
        found = api.run(f"{content['entity'] or api.default_entity}/{content['project']}/{content['id']}")
    except Exception:  # noqa: BLE001  there is no such run or project yet; whatever else it was, 'init' says better
        return False
    return bool(found.summary.get(COMPLETE))


def _settings() -> Any:
    import wandb

    return wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        save_code=False,
        disable_job_creation=True,
        program="seatrial",
        host="",
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
        symlink=False,
        init_timeout=INIT_SECONDS,
        finish_timeout=FINISH_SECONDS,
        finish_timeout_raises=True,
    )


ACTIONS: Mapping[str, Callable[..., dict[str, Any]]] = {"log": log, "store": store, "confirm": confirm}

if __name__ == "__main__":
    code = main()
    sys.exit(code)  # looked up after the package replaced it: by this code it ends a run that is not complete
