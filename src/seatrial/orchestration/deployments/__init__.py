"""What a project has on a Prefect server: its work pool, its deployments and its automations, under its own names."""
