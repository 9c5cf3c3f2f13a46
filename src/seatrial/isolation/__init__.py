"""A trial in a process of its own: a model is code, and never runs where credentials and the ledger are.

The process sees a cleaned environment and an empty home, and is held to the project's limits. It ends, with all it
started, when the block is left, when this process ends, or when it breaks a limit. It replies in JSON, and each
message is read strictly.

What this protects, and what it does not: it keeps a model from the memory, environment and open files of the process
that runs the trial, which a broken model cannot take along. Where the kernel makes namespaces, the model can neither
signal nor see any process outside; elsewhere a hostile one can, as any process of the same user can. It reads the
files and reaches the addresses that this user can: run the worker as a user or in a container of its own for more.
And whoever can write a model's code can make it give the reference's values: isolation protects the worker from the
model, not the verdict from its author.
"""

from seatrial.isolation.client import Description as Description
from seatrial.isolation.client import IsolatedTrial as IsolatedTrial
from seatrial.isolation.client import isolated as isolated
from seatrial.isolation.process import prestarted as prestarted
