"""Where the project's versions stand, as one artifact of Prefect that every reconcile run renews."""

from __future__ import annotations

from typing import Any

from seatrial.ledger import Ledger
from seatrial.orchestration.deployments import names
from seatrial.orchestration.prefect_api import client
from seatrial.project import Project
from seatrial.promotion.fleet.links import pages
from seatrial.promotion.fleet.markdown import render
from seatrial.promotion.fleet.status import read


def renew(project: Project, ledger: Ledger) -> None:
    """Write the status into the project's artifact. It is replaced, so that there is one, however often it is renewed.

    Args:
        project: whose versions are shown.
        ledger: has their verdicts.

    Raises:
        TargetError: Prefect does not answer.
        LedgerError: the database cannot be used.
    """
    from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate

    status, key = read(ledger, project), names.status(project)
    shown: dict[str, Any] = {
        "data": render(status, pages(status)),
        "description": f"Every version of project '{project.name}' and its verdict",
    }
    with client("show the status") as prefect:
        if latest := _latest(prefect, key):
            prefect.update_artifact(latest[0].latest_id, ArtifactUpdate(**shown))
        else:
            prefect.create_artifact(ArtifactCreate(key=key, type="markdown", **shown))


def remove(project: Project) -> bool:
    """Delete the artifact; False where there is none.

    Raises:
        TargetError: Prefect does not answer.
    """
    removed = False
    with client("remove the status") as prefect:
        while latest := _latest(prefect, names.status(project)):  # several that were first made two of them
            prefect.delete_artifact(latest[0].latest_id)
            removed = True
    return removed


def _latest(prefect: Any, key: str) -> list[Any]:
    from prefect.client.schemas.filters import ArtifactCollectionFilter, ArtifactCollectionFilterKey

    only = ArtifactCollectionFilter(key=ArtifactCollectionFilterKey(any_=[key]))
    found: list[Any] = prefect.read_latest_artifacts(artifact_filter=only, limit=1)
    return found
