"""Prefect: the flows' steps, their server, deployments and the local stack."""
