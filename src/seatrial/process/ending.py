"""End a process of ours without taking apart what it imported, which takes up to a second and changes nothing."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn


def end_process(code: int = 0) -> NoReturn:
    """End this process: wait for its threads, run what was registered for its end, and write what waits to be written.

    With a profiler or debugger it ends as any other.

    Args:
        code: its exit code.
    """
    if sys.getprofile() is not None or sys.gettrace() is not None:
        sys.exit(code)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):  # nobody reads it any more
            code = code or 1
    os._exit(code)
