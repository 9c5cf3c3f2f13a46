"""Proxies between a service and its dependencies, on which faults are placed."""
