"""The resilience check: a dependency fails, and the service degrades as its failure policy declares."""
