"""The work pool that runs are sent to: its type, its job variables, and whether what lies beside a run outlives it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seatrial.errors import ProjectError, UsageError, unknown
from seatrial.orchestration.prefect_api import client

PROCESS = "process"
MANY = 200  # work pools that are listed beside one that is not there


@dataclass(frozen=True)
class Pool:
    """A work pool as the Prefect server has it.

    Attributes:
        name: of the pool.
        type: of its workers, such as ``process``, ``docker`` or ``kubernetes``.
        template: its base job template: ``variables`` is a JSON schema, ``job_configuration`` uses them.
    """

    name: str
    type: str
    template: Mapping[str, Any]

    @property
    def lasting(self) -> bool:
        """Whether files beside a run are there for the next one: those of a process are, those of a container not."""
        return self.type == PROCESS

    @property
    def variables(self) -> Mapping[str, Any]:
        """The schema of each job variable, by name."""
        found: Mapping[str, Any] = (self.template.get("variables") or {}).get("properties") or {}
        return found

    def mentions(self, name: str) -> bool:
        """Return whether the base job template mentions a word, such as the name of an environment variable."""
        return re.search(rf"\b{re.escape(name)}\b", json.dumps(self.template)) is not None

    def __str__(self) -> str:
        """Return name and type, for messages."""
        return f"work pool '{self.name}' (type {self.type})"


def find(name: str) -> Pool:
    """Return a work pool of the Prefect server.

    Raises:
        ProjectError: there is none of this name; with the nearest one.
        TargetError: Prefect does not answer.
    """
    from prefect.exceptions import ObjectNotFound

    with client("read the work pool") as prefect:
        try:
            found = prefect.read_work_pool(name)
        except ObjectNotFound:
            others = [each.name for each in prefect.read_work_pools(limit=MANY)]
            raise ProjectError(
                f"{unknown('Work pool', name, others)} To create it: prefect work-pool create {name} --type docker"
            ) from None
    return Pool(found.name, found.type, found.base_job_template)


def process(name: str) -> Pool:
    """Return a process pool as Prefect makes one, which may not exist yet."""
    from prefect.workers.process import ProcessWorker

    return Pool(name, PROCESS, ProcessWorker.get_default_base_job_template())


def parse(written: Iterable[str], pool: Pool) -> dict[str, Any]:
    """Return job variables that are written ``NAME=VALUE``; ``env.NAME=VALUE`` is one of the environment.

    A value is JSON, unless its variable is a string.

    Raises:
        UsageError: one is not written like that.

    Example:
        >>> pool = Pool("gpu", "docker", {"variables": {"properties": {"mem_limit": {"type": "string"}}}})
        >>> parse(["mem_limit=4g", "env.OMP_NUM_THREADS=2", "auto_remove=true"], pool)
        {'mem_limit': '4g', 'env': {'OMP_NUM_THREADS': '2'}, 'auto_remove': True}
    """
    found: dict[str, Any] = {}
    for word in written:
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise UsageError(f"--job-variable '{word}': write NAME=VALUE, such as --job-variable env.OMP_NUM_THREADS=2")
        root, _, key = name.partition(".")
        if key:
            found[root] = {**found.get(root, {}), key: text}
            continue
        value: Any = text
        if "string" not in _types(pool.variables.get(name, {})):
            try:
                value = json.loads(text)
            except ValueError:
                value = text
        found[name] = {**found.get(name, {}), **value} if isinstance(value, dict) else value
    return found


def merged(*several: Mapping[str, Any]) -> dict[str, Any]:
    """Return job variables, of which a later one counts; environments are joined.

    Example:
        >>> merged({"env": {"A": "1"}, "image": "x:1"}, {"env": {"B": "2"}})
        {'env': {'A': '1', 'B': '2'}, 'image': 'x:1'}
    """
    found: dict[str, Any] = {}
    for each in several:
        environ = {"env": {**found.get("env", {}), **(each["env"] or {})}} if "env" in each else {}
        found = {**found, **each, **environ}
    return found


def check(pool: Pool, variables: Mapping[str, Any]) -> None:
    """Refuse job variables that the pool's base job template does not know, or knows as something else.

    Raises:
        ProjectError: a variable is not known, mistyped, or missing. No value is repeated: it may be a secret.
    """
    from prefect.utilities.schema_tools import validate

    schema = dict(pool.template.get("variables") or {})
    nested: dict[str, Any] = {}
    for name, value in variables.items():
        root, _, key = name.partition(".")
        if root not in pool.variables:
            raise ProjectError(f"{unknown('Job variable', root, pool.variables)} They are those of {pool}.")
        nested[root] = {**nested.get(root, {}), key: value} if key else value
    for name in schema.get("required", ()):
        if name not in nested and "default" not in pool.variables.get(name, {}):
            raise ProjectError(f"The {pool} requires the job variable '{name}'. Give it: --job-variable {name}=…")
    errors = validate(nested, schema, ignore_required=True, allow_none_with_default=True)
    for error in errors:
        path = ".".join(map(str, error.absolute_path))
        raise ProjectError(f"The {pool} does not take the value of the job variable '{path}': {_wanted(error)}.")


def _types(schema: Mapping[str, Any]) -> Sequence[str]:
    several = [schema, *schema.get("anyOf", ())]
    return [str(each["type"]) for each in several if "type" in each]


def _wanted(error: Any) -> str:
    if error.validator == "enum":
        return f"it must be one of {', '.join(map(str, error.validator_value))}"
    types = [name for name in _types(error.schema) if name != "null"]
    return f"it must be of type {' or '.join(types)}" if types else f"it violates '{error.validator}' of its schema"
