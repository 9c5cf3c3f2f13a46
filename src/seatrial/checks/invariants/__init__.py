"""The invariants check: the answer does not depend on batching, order, repetition or the process."""
