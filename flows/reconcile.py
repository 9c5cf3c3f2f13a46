"""Give every registered version its verdict: look what is new, validate it, and see that the registry shows it.

It may run as often as anybody likes, several at once: a version is validated by one of them.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.exceptions import FailedRun
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from seatrial.errors import ProjectError
from seatrial.io.loading import load_file
from seatrial.ledger import Job, Ledger
from seatrial.project import Project
from seatrial.promotion import aliases, effects
from seatrial.promotion import reconcile as reconciling
from seatrial.promotion.aliases import UnauthorisedAlias
from seatrial.promotion.reconcile import RegistryScan
from seatrial.sinks.markdown import literal


@task(task_run_name="look at the registry", cache_policy=NO_CACHE)
def look(ledger: Ledger, here: Project, model: str) -> RegistryScan:
    """Note every version that is new."""
    return reconciling.scan_registry(ledger, here, model=model)


@task(task_run_name="tell MLflow", cache_policy=NO_CACHE)
def tell(ledger: Ledger) -> list[str]:
    """Apply what verdicts are still to do; return what had to wait."""
    return effects.apply(ledger)


@task(task_run_name="watch what is promoted", cache_policy=NO_CACHE)
def watch(ledger: Ledger, here: Project, hashing: bool) -> list[UnauthorisedAlias]:
    """Find aliases on versions that did not earn them."""
    strays = aliases.check_aliases(ledger, here, hashing=hashing)
    if strays:
        create_markdown_artifact(
            key="strays",
            markdown="\n".join(f"- {literal(stray, 1_000)}" for stray in strays),
            description="Aliases on versions without a passing verdict",
        )
    return strays


def validated(here: Project, job: Job) -> None:
    """Run the project's validate flow for a job; whatever it raises is raised here."""
    validate = load_file(here.flows / "validate.py", ProjectError).validate
    ended = validate(model_uri=job.uri, project=str(here.root), return_state=True).result(raise_on_failure=False)
    if isinstance(ended, BaseException) and not isinstance(ended, FailedRun):
        raise ended


def named() -> str:
    """Return the run's name for a person."""
    return f"look at {flow_run.parameters.get('model') or 'everything'}"


@flow(name="reconcile", flow_run_name=named, description=__doc__, validate_parameters=False)
def reconcile(project: str = ".", model: str = "", most: int = 0, hashing: bool = False) -> State[Any]:
    """Look once, validate what is due, and tell MLflow.

    When the whole registry is listed, once an hour, what is promoted is hashed again and compared with what passed.

    Args:
        project: the directory of the seatrial project.
        model: look at this registered model alone; all by default.
        most: versions to validate in this run; 0 is all that are due.
        hashing: compare what is promoted with what passed now, too.
    """
    here = Project.find(project)
    here.settle()
    said = []
    with Ledger.of(here.state) as ledger:
        looked = look(ledger, here, model)
        waits = tell(ledger)  # what a worker that died left behind
        for job in reconciling.jobs(ledger, most):
            said.append(reconciling.attempt(ledger, job, lambda job: validated(here, job)))
            get_run_logger().info(said[-1])
            waits += tell(ledger)
        strays = watch(ledger, here, hashing or looked.full)
    for words in (*waits, *map(str, strays)):
        get_run_logger().warning(words)
    told = "; ".join([f"{looked.new} new", *said, *waits, *map(str, strays)])
    return Failed(message=told) if [s for s in strays if not s.restored_to] else Completed(message=told)
