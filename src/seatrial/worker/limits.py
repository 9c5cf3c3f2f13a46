"""The limits that the kernel holds each process to."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

RESERVED_BYTES = 4 * 2**30  # of address space that is reserved and never touched, beyond the memory that may be held


def hold_to(limits: Mapping[str, int]) -> None:
    """Limit this process and what it starts.

    Args:
        limits: ``file_bytes`` that a written file may have, and ``memory_bytes`` that may be held; none where there
            are none.
    """
    import resource

    wanted = {resource.RLIMIT_CORE: 0}
    if "file_bytes" in limits:
        wanted[resource.RLIMIT_FSIZE] = limits["file_bytes"]
    if "memory_bytes" in limits:
        wanted[resource.RLIMIT_DATA] = limits["memory_bytes"] + RESERVED_BYTES
    for kind, most in wanted.items():
        present = resource.getrlimit(kind)[1]
        allowed = most if present == resource.RLIM_INFINITY else min(most, present)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (allowed, allowed))
    if limits:
        with contextlib.suppress(OSError):  # where the machine has no memory left, the kernel ends this process first
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
