"""Work of a flow run on the workers of a Dask cluster, as task runs of it."""
