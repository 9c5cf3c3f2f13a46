"""What a validation has beside the judge: results of earlier runs, and what is kept on this machine alone.

A result is kept under a digest of all that it follows from, and used again while that is the same. ``inputs.py`` says
what it follows from, ``store.py`` keeps it where only the project's key can write, ``kept.py`` and ``plan.py`` say what
is written, ``earlier.py`` finds it, and ``recalled.py`` stands in for the judge where nothing has to run.
"""
