"""Kubeflow Model Registry as a registry. It stores no runs: the project names a tracker."""

from __future__ import annotations

from seatrial.registry.kubeflow import changes, files, versions


class KubeflowRegistry:
    """The registry of addresses such as ``model-registry:/iris/7`` and ``model-registry:/iris@champion``."""

    refuse = staticmethod(files.refuse)
    resolve = staticmethod(versions.resolve)
    changed_since = staticmethod(versions.changed_since)
    fetch = staticmethod(files.fetch)
    reference = staticmethod(files.reference)
    annotate = staticmethod(changes.annotate)
    move_alias = staticmethod(changes.move_alias)
    aliases = staticmethod(versions.aliases)
    store_reference = staticmethod(files.store_reference)
    can_take_reference = staticmethod(files.can_take_reference)
