"""MLflow as a registry and a tracker: the reference implementation of both protocols."""

from __future__ import annotations

from pathlib import Path

from seatrial.registry.mlflow import artifacts, early, pages, tracking, versions, webhooks
from seatrial.registry.mlflow import fixtures as stored


class MLflowTracker:
    """The tracking server that ``MLFLOW_TRACKING_URI`` names."""

    log_run = staticmethod(tracking.log_run)
    artifacts = staticmethod(tracking.artifacts)
    files = staticmethod(tracking.files)


def tracker(state: Path) -> MLflowTracker:  # noqa: ARG001  the server keeps everything
    """Return the tracker, for projects whose registry is another one."""
    return MLflowTracker()


class MLflowRegistry:
    """The registry of addresses such as ``models:/payments/1`` and ``models:/payments@champion``."""

    tracker = MLflowTracker()
    refuse = staticmethod(early.refuse)
    resolve = staticmethod(versions.resolve)
    changed_since = staticmethod(versions.changed_since)
    changed_among = staticmethod(versions.changed_among)
    fetch = staticmethod(artifacts.fetch)
    reference = staticmethod(artifacts.reference)
    annotate = staticmethod(tracking.annotate)
    move_alias = staticmethod(versions.move_alias)
    aliases = staticmethod(versions.aliases)
    aliases_among = staticmethod(versions.aliases_among)
    store_reference = staticmethod(artifacts.store_reference)
    can_take_reference = staticmethod(artifacts.can_take_reference)
    store_fixture = staticmethod(stored.store_fixture)
    fixtures = staticmethod(stored.fixtures)
    download_fixture = staticmethod(stored.download_fixture)
    pages_of_many = staticmethod(pages.pages_of_many)
    pages = staticmethod(pages.pages)
    put_webhook = staticmethod(webhooks.put_webhook)
    remove_webhook = staticmethod(webhooks.remove_webhook)
