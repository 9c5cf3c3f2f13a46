"""The fixed probes of the contract check, by protocol: each target supplies those of its own."""
