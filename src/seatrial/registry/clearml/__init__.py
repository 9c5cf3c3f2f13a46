"""ClearML as a registry, scheme ``clearml:``, and as a tracker.

Importing ``clearml`` replaces functions of argparse and click, so it is imported in a process of its own alone:
``client`` starts it, ``__main__`` is what it runs.
"""
