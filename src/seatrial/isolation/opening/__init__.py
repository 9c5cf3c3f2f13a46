"""How the worker of a project is opened, and opened again in other processes."""
