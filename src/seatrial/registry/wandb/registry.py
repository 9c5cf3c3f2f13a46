"""The W&B Registry as a registry of model versions."""

from __future__ import annotations

from functools import cached_property

from seatrial.registry.wandb import artifacts, versions
from seatrial.registry.wandb.process import require_wandb
from seatrial.registry.wandb.store import WandbRunStore


class WandbRegistry:
    """The registry of addresses such as ``wandb:/payments/3`` and ``wandb:/payments@champion``.

    Raises:
        UsageError: the wandb package is not installed.
    """

    def __init__(self) -> None:
        require_wandb()

    @cached_property
    def tracker(self) -> WandbRunStore:
        """Where the verdicts of its versions are logged."""
        return WandbRunStore()

    refuse = staticmethod(versions.refuse)
    resolve = staticmethod(versions.resolve)
    changed_since = staticmethod(versions.changed_since)
    fetch = staticmethod(artifacts.fetch)
    reference = staticmethod(artifacts.reference)
    annotate = staticmethod(artifacts.annotate)
    move_alias = staticmethod(versions.move_alias)
    aliases = staticmethod(versions.aliases)
    store_reference = staticmethod(artifacts.store_reference)
    can_take_reference = staticmethod(artifacts.can_take_reference)
