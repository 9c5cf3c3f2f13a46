"""What starts a validation: polling, webhook deliveries."""
