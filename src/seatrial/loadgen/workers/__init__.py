"""One schedule offered by several workers: processes of this machine, or workers of a Dask cluster.

run = offer_by(2, "http://127.0.0.1:8000/score", schedule, payloads)
run = offer_by(4, "https://staging.example/score", schedule, payloads, cluster="tcp://10.0.0.5:8786", ...)
"""

from seatrial.loadgen.workers.offer import offer_by

__all__ = ["offer_by"]
