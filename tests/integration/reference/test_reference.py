"""Capture keeps what the path gave, twice the same; a reference of something else is refused with what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

SCRIPT = """
    import sys
    import pandas as pd
    from concurrent.futures import ThreadPoolExecutor
    from seatrial import Dependency, Pipeline, capture

    class Store:
        flags = {"b": 1, "a": 2}
        def by_set(self, customer):
            return {c: {"len": len(c), "last": c[-1]} for c in customer}
        def in_order(self, customer):
            return pd.DataFrame({"customer": list(customer)}).assign(n=lambda f: f["customer"].str.len())
        def one(self, customer, *, upper):
            return customer.upper()

    def raw(frame, store):
        ids = list(set(frame["customer"]))
        known = store.by_set(set(ids))
        n = store.in_order(ids).set_index("customer")["n"]
        with ThreadPoolExecutor(4) as pool:
            upper = dict(zip(ids, pool.map(lambda c: store.one(c, upper=True), ids)))
        list(ThreadPoolExecutor(3).map(lambda i: store.in_order(ids[i::3]), range(3)))
        return frame.assign(last=[known[c]["last"] for c in frame["customer"]], n=frame["customer"].map(n),
                            upper=frame["customer"].map(upper), flag=store.flags["a"])

    frame = pd.DataFrame({"id": range(50), "customer": [f"c{i % 17}" for i in range(50)]})
    pipeline = Pipeline("p", key="id", raw=raw, features=lambda f: f[["id", "n"]],
                        dependencies=[Dependency("store", "", connect=lambda url: Store())])
    print(capture(pipeline, frame).digest)
"""


def test_the_digest_is_the_same_in_every_process():
    """Neither the hash seed, which orders sets, nor the turns that threads take change it."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(SCRIPT)],
            env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True,
        ).stdout
        for seed in ("0", "1", "77")
    }  # fmt: skip
    assert len(digests) == 1
    assert digests.pop().startswith("sha256:")
