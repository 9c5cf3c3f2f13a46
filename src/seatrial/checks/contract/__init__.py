"""What a service and those who ask it have agreed on, as pure functions: documents, examples, probes, signatures."""
