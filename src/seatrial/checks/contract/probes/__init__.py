"""Fixed probes of the contract check, by protocol."""
