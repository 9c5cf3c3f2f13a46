"""Where the runs of a project are sent, and what is written into its deployments for that.

A process pool runs where the project is. Every other one starts a container without it: it is given an image, the
commit to clone, and the environment. Variables that may hold credentials, and the keys, are kept in one block of type
secret, which a pull step reads in the run's own process.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from seatrial.errors import ProjectError, UsageError
from seatrial.formatting import without_user
from seatrial.ledger.database import URL as LEDGER
from seatrial.orchestration.deployments import checkout, names, pools, pull_steps
from seatrial.orchestration.deployments.pools import Pool
from seatrial.pipeline.address import is_loopback
from seatrial.project import Project, is_hosted
from seatrial.promotion import keyring

IN_IMAGE = "/project"  # where deployments/Dockerfile puts the project
MLFLOW = "MLFLOW_TRACKING_URI"
MLFLOW_SIGN_IN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
STEP = "seatrial.orchestration.deployments.pull_steps.load_environment"


@dataclass(frozen=True)
class Wanted:
    """What the options of ``seatrial deploy`` say of the work pool.

    Attributes:
        pool: its name; empty for the project's own.
        image: of the container.
        job_variables: each as ``NAME=VALUE``.
        secrets: names of further variables that are kept in the block.
        git_credentials: TYPE/NAME of the block that git signs in with.
    """

    pool: str = ""
    image: str = ""
    job_variables: Sequence[str] = ()
    secrets: Sequence[str] = ()
    git_credentials: str = ""


@dataclass(frozen=True)
class Placement:
    """What is written into the deployments, and into the block.

    Attributes:
        pool: the work pool.
        job_variables: over those of the deployment file.
        pull: the pull steps; empty: those of the deployment file.
        variables: of the block: the environment of a run.
        keys: of the block: name of the file to its text.
        lines: what people are told.
    """

    pool: Pool
    job_variables: Mapping[str, Any] = field(default_factory=dict)
    pull: Sequence[Mapping[str, Any]] = ()
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    lines: Sequence[str] = ()


def placed(project: Project, wanted: Wanted) -> Placement:
    """Return where the runs go; nothing is created.

    Raises:
        ProjectError: the pool does not exist, its runs would lose their state, or it does not take a job variable.
        UsageError: an option is not written as it must be, or a variable that it names is not set.
        TargetError: Prefect does not answer.
    """
    return place(project, pools.find(wanted.pool) if wanted.pool else pools.process(names.pool(project)), wanted)


def place(project: Project, pool: Pool, wanted: Wanted) -> Placement:
    """Return what :func:`placed` does, for a pool that was looked up."""
    given = pools.parse(wanted.job_variables, pool)
    if wanted.image:
        given = pools.merged(given, {"image": wanted.image})
    pools.check(pool, given)
    if pool.lasting:
        if wanted.secrets or wanted.git_credentials:
            raise UsageError(
                f"--secret and --git-credentials are for runs in containers; a run of the {pool} has the environment "
                "and the checkout of its worker. Set them there."
            )
        return Placement(pool, given)
    _check_image(project.name, pool, given)
    variables = dict(_environment(project, pool, given, wanted.secrets))
    keys = _keys(project, pool, given)
    models = {MLFLOW: os.environ[MLFLOW]} if project.registry == "models" else {}
    plain = {} if MLFLOW in variables or _has(pool, given, MLFLOW) else models
    code, told = _code(project, wanted.git_credentials)
    step = {STEP: {"block": names.block(project, names.ENVIRONMENT)}}
    lines = [told]
    if variables or keys:
        kept = ", ".join([*variables, *([keyring.SIGNING_KEY] if keys else [])])
        lines.append(f"Kept in the block '{names.block(project, names.ENVIRONMENT)}', of type secret: {kept}.")
    lines += _unreached({**plain, **variables}, given)
    job_variables = pools.merged({"env": plain} if plain else {}, given)
    pools.check(pool, job_variables)
    return Placement(pool, job_variables, [*code, *([step] if variables or keys else [])], variables, keys, lines)


def save(project: Project, placement: Placement) -> None:
    """Write the block that the pull step reads.

    Raises:
        TargetError: Prefect does not answer.
    """
    from prefect.blocks.system import Secret

    from seatrial.orchestration.prefect_api import client

    if placement.variables or placement.keys:
        content: Any = {pull_steps.VARIABLES: dict(placement.variables), pull_steps.KEYS: dict(placement.keys)}
        with client("keep the environment in a block"):
            Secret(value=content).save(names.block(project, names.ENVIRONMENT), overwrite=True)


def _check_image(project: str, pool: Pool, given: Mapping[str, Any]) -> None:
    named = "image" in given or pool.variables.get("image", {}).get("default")
    if "image" in pool.variables and not named:
        name = f"REGISTRY/{project}:1"
        raise ProjectError(
            f"Runs of the {pool} need an image with seatrial and what this project requires. Build it and name it: "
            f"docker build -f deployments/Dockerfile -t {name} . && docker push {name}; then seatrial deploy --pool "
            f"{pool.name} --image {name}. The Dockerfile comes with: seatrial upgrade --copy deployments"
        )


def _environment(
    project: Project, pool: Pool, given: Mapping[str, Any], secrets: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield the variables of the block; refuse where the ledger or the models would be of one container alone."""
    for name in secrets:
        if name not in os.environ:
            raise UsageError(f"--secret {name}: the variable {name} is not set. Set it: export {name}=…")
    if not _has(pool, given, LEDGER):
        ledger = os.environ.get(LEDGER, "")
        if not ledger.startswith("postgresql"):
            raise ProjectError(
                f"Runs of the {pool} keep nothing beside them, so verdicts need a ledger in PostgreSQL: export "
                f"{LEDGER}=postgresql://USER:PASSWORD@HOST/NAME"
            )
        yield LEDGER, ledger
    if project.registry == "models" and not _has(pool, given, MLFLOW):
        address = os.environ.get(MLFLOW, "")
        if not (address.startswith(("http://", "https://")) or is_hosted(address)):
            raise ProjectError(
                f"Runs of the {pool} do not reach the models in {address or 'no store'}. Name an MLflow server: export "
                f"{MLFLOW}=http://HOST:5000"
            )
        if without_user(address) != address:
            yield MLFLOW, address
    for name in dict.fromkeys([*MLFLOW_SIGN_IN, *project.environment, *secrets]):
        if name in os.environ and not _has(pool, given, name):
            yield name, os.environ[name]


def _keys(project: Project, pool: Pool, given: Mapping[str, Any]) -> dict[str, str]:
    """Return the files of the keys: the one that signs, and those that are trusted."""
    if _has(pool, given, keyring.SIGNING_KEY):
        return {}
    if not os.environ.get(keyring.SIGNING_KEY):
        own = project.state / "keys" / "verdict.key"
        where = own if own.is_file() else "verdict.key"
        make = "" if own.is_file() else f"openssl genpkey -algorithm ed25519 -out {where} && chmod 600 {where} && "
        raise ProjectError(
            f"Runs of the {pool} keep nothing beside them, so each would sign with a key of its own. Name one key for "
            f"all: {make}export {keyring.SIGNING_KEY}={where}"
        )
    private = keyring.private_key(project.state)
    keyring.signing_key(project.state)
    try:
        ring = keyring.public_keys(project.state)
    except UsageError:  # its folder is read-only; each run writes the public half beside its copy
        ring = []
    public = {f"verdict-{number}.pub": path.read_text(encoding="utf-8") for number, path in enumerate(ring, 1)}
    return {"verdict.key": private.read_text(encoding="utf-8"), **public}


def _code(project: Project, credentials: str) -> tuple[list[dict[str, Any]], str]:
    """Return the pull steps that bring the project's code, and what is told of it."""
    if credentials:
        checkout.check_credentials(credentials)
    found = checkout.find(project.root, credentials)
    if found:
        return found.pull_steps(credentials), f"Each run clones {found.repository} at {found.commit[:12]}."
    if credentials:
        raise ProjectError(
            "--git-credentials is for a project whose checkout has a remote, and this one has none. Add it: git remote "
            "add origin https://…"
        )
    step = {"prefect.deployments.steps.set_working_directory": {"directory": IN_IMAGE}}
    return [step], f"Each run uses the project as it was built into the image, at {IN_IMAGE}."


def _has(pool: Pool, given: Mapping[str, Any], name: str) -> bool:
    """Return whether job variables or the pool itself, by a secret of its platform for example, set a variable."""
    return name in (given.get("env") or {}) or pool.mentions(name)


def _unreached(variables: Mapping[str, str], given: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each address of this machine's loopback, which in a container is the container's own."""
    if given.get("network_mode") == "host":
        return
    for name, value in variables.items():
        if re.match(r"[\w+]+://", value) and is_loopback(urlsplit(value).hostname or ""):
            yield (
                f"{name} is an address of this machine alone; a container does not reach it, unless it has this "
                "machine's network (docker: --job-variable network_mode=host)."
            )
