"""Run a tool's script on one file after the other in one process: ``python many.py SCRIPT FILE...``.

Prints a line of JSON for each file: the last line of the script, or what it raised, and the processor seconds. The
first file's include the imports, as those of a run by itself do.
"""

import contextlib
import io
import json
import os
import runpy
import sys


def spent():
    """Return the processor seconds of this process and those it waited for."""
    return sum(os.times()[:4])


script, *files = sys.argv[1:]
before = 0.0
for file in files:
    sys.argv, out, raised = [script, file], io.StringIO(), None
    with contextlib.redirect_stdout(out):
        try:
            runpy.run_path(script, run_name="__main__")
        except Exception as error:  # noqa: BLE001  a script that raises fails a pipeline too
            raised = f"{type(error).__name__}: {error}"
    last = out.getvalue().rpartition('{"failed"')  # what is before it on the line may be a progress bar
    failed = [raised] if raised else json.loads("".join(last[1:]))["failed"]
    print(json.dumps({"failed": failed, "raised": bool(raised), "seconds": spent() - before}), flush=True)
    before = spent()
