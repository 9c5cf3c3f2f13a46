"""The resilience check: dependencies fail, the service degrades as declared."""
