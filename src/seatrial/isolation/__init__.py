"""A worker, from the side of the judge: the project's code runs there, and never where credentials and the ledger are.

The worker sees a cleaned environment and an empty home, and is held to the project's limits. It ends, with all it
started, when the trial ends, when the judge ends, or when it breaks a limit. It replies in JSON and with Arrow files,
and each is read strictly.

What this protects, and what it does not: it keeps a model from the memory, environment and open files of the judge.
With bubblewrap it has a file system of its own, in which there are no keys, no ledger and no recorded answer of a
stage; with namespaces alone it can neither signal nor see any process outside; elsewhere it can, as any process of the
same user can. It reaches the addresses that this user can: run the judge as a user or in a container of its own for
more. And whoever can write a model's code can make it give the reference's values: isolation protects the judge from
the model, not the verdict from its author.
"""
