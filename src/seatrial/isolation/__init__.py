"""A trial in a process of its own: a model is code, and never runs where credentials and the ledger are.

The process sees a cleaned environment and an empty home, is held to the project's limits, and is ended with all it
started when the block is left, when this process ends, or when it breaks a limit. What comes back is JSON, and each
event is checked as it is read.

What this is, and what it is not: it keeps a model from the worker's memory, environment and open files, and keeps a
broken one from taking the worker along. Where the kernel makes namespaces it can neither signal nor look at any process
outside; elsewhere one that means harm can, as any process of the same user can. It reads what files and reaches what
addresses that user can; run the worker as a user or in a container of its own for more. And who can write a model's
code can make it answer as training did: isolation protects the worker from the model, not the verdict from its author.
"""

from seatrial.isolation.client import IsolatedTrial as IsolatedTrial
from seatrial.isolation.client import Read as Read
from seatrial.isolation.client import isolated as isolated
from seatrial.isolation.process import early as early
