"""How many fresh processes there are, and the hash seed of each; it imports nothing, so that they can start at once."""

from __future__ import annotations

HASH_SEEDS = 3


def hash_seeds(seed: int) -> list[int]:
    """Return the ``PYTHONHASHSEED`` of each fresh process of a trial.

    Args:
        seed: of the trial.

    Example:
        >>> hash_seeds(0), hash_seeds(1)
        ([1, 2, 3], [4, 5, 6])
    """
    return [1 + (seed * HASH_SEEDS + n) % (2**32 - 1) for n in range(HASH_SEEDS)]  # 0 would switch randomisation off
