"""Bugs of a service alone, in every process that has this folder in PYTHONPATH.

PLANTED is ``wrong``, ``broken``, ``slow`` (it waits) or ``busy``.
"""

import os
import time

if os.environ.get("PLANTED"):
    from sklearn.linear_model import Ridge

    SECONDS = 0.4  # more than two workers at 20 requests/s have for one
    _predict = Ridge.predict

    def predict(self, X):
        found, planted = _predict(self, X), os.environ["PLANTED"]
        until = time.monotonic() + SECONDS
        if planted == "slow":
            time.sleep(SECONDS)
        while planted == "busy" and time.monotonic() < until:
            pass
        odd = found > 60  # long deliveries alone
        if planted == "broken" and odd.any():
            raise RuntimeError("no courier goes so far")
        if planted == "wrong":
            found[odd] += 1.0
        return found

    Ridge.predict = predict
