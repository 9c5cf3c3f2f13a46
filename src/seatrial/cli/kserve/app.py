"""The words of ``seatrial kserve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def kserve(
    model_uri: str,
    *,
    storage_uri: str | None = None,
    step: str = "0",
    current: Annotated[int | None, Parameter(name="--from")] = None,
    wait: float = 300.0,
    check: str | None = None,
    apply: str | None = None,
    manifest: Path | None = None,
    namespace: str | None = None,
    image: str = "seatrial",
    env_from: str = "seatrial",
    target: str | None = None,
    project: Path = Path(),
) -> int:
    """Render a version for KServe, and raise its share of the traffic while 'seatrial verify' allows it.

    Each step verifies the version again. A version that passed gets the next share. One that did not is rolled back:
    its share becomes 0. Where that cannot be told, its share stays.

    Args:
        model_uri: version as models:/NAME/VERSION or models:/NAME@ALIAS; an alias is resolved once.
        storage_uri: where KServe loads the version's files from, such as s3://models/{name}/{version}; {name} and
            {version} are filled.
        step: share of the traffic in percent, or several in rising order, such as 0,10,50,100. At 0, a Job that tests
            the deployed candidate is rendered too.
        current: share that the version has now, where an earlier command deployed it. Without it, the version is taken
            for one that is not deployed, so that a failure leaves nothing to roll back.
        wait: seconds between two steps.
        check: command to run before each step of a version that is deployed: 0 continues, 1 rolls back, any other
            code stops.
        apply: command that reads the manifests on its standard input, such as "kubectl apply -f -". Without it they
            are printed, and one step is allowed.
        manifest: InferenceService of yours to start from, a YAML file: its name, model format, resources and
            transformer are kept.
        namespace: namespace in Kubernetes; by default that of the manifest, else default.
        image: image of the Job, with this project in it.
        env_from: Secret whose keys are the environment variables of the Job, such as MLFLOW_TRACKING_URI.
        target: address at which the Job reaches the candidate; by default its tag inside the cluster.
        project: project directory.
    """
    from seatrial.cli.kserve.command import Chosen, command  # slow to import

    chosen = Chosen(storage_uri or "", manifest, namespace or "", image, env_from, target or "")
    return command(project, model_uri, chosen, step=step, current=current, wait=wait, check=check, apply=apply)
