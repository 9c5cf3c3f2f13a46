"""A proxy between a service and what it depends on, where faults of the network are placed."""
