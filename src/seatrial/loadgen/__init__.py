"""Load: an open-loop generator, a schedule drawn beforehand, and the statistics of its runs.

schedule = poisson(constant(rate=200, seconds=60), seed=7, requests=10_000)
run = offer("http://127.0.0.1:8000/score", schedule, payloads)
reasons = invalid_reasons(run, limit_seconds=0.1)   # where the generator itself fell short
result = evaluate([run.latencies], 0.1, Plan(runs=1, requests=10_000))
"""
