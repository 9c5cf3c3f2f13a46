"""Load: a schedule made up front, a client that keeps to it, and statistics that do not flatter.

schedule = poisson(constant(rate=200, seconds=60), seed=7, requests=10_000)
run = offer("http://127.0.0.1:8000/score", schedule, payloads)
reasons = void(run, limit_seconds=0.1)              # what the generator itself got wrong
judged = judge([run.misses(0.1)], Plan(runs=1, requests=10_000))
"""
