"""Fixed probes of the contract check, by protocol: each target brings those of its own."""
