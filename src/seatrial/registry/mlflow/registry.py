"""MLflow as a registry and a tracker: the reference implementation of both protocols."""

from __future__ import annotations

from seatrial.registry.mlflow import artifacts, client, early, pages, tracking, versions, webhooks
from seatrial.registry.mlflow import fixtures as stored


class MLflowTracker:
    """The tracking server that ``MLFLOW_TRACKING_URI`` names."""

    log_run = staticmethod(tracking.log_run)
    artifacts = staticmethod(tracking.artifacts)
    files = staticmethod(tracking.files)


class MLflowRegistry:
    """The registry of addresses such as ``models:/payments/1`` and ``models:/payments@champion``."""

    tracker = MLflowTracker()
    reachable = staticmethod(client.reachable)
    refuse = staticmethod(early.refuse)
    resolve = staticmethod(versions.resolve)
    present = staticmethod(versions.present)
    changed_since = staticmethod(versions.changed_since)
    aliases = staticmethod(versions.aliases)
    move_alias = staticmethod(versions.move_alias)
    download_model = staticmethod(artifacts.download_model)
    fetch_reference = staticmethod(artifacts.fetch_reference)
    store_reference = staticmethod(artifacts.store_reference)
    can_take_reference = staticmethod(artifacts.can_take_reference)
    tag = staticmethod(tracking.tag)
    tags = staticmethod(tracking.tags)
    describe = staticmethod(tracking.describe)
    store_fixture = staticmethod(stored.store_fixture)
    fixtures = staticmethod(stored.fixtures)
    download_fixture = staticmethod(stored.download_fixture)
    pages = staticmethod(pages.pages)
    put_webhook = staticmethod(webhooks.put_webhook)
