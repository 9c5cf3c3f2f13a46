"""What a Prefect server that ends with its command does without, and a database that it finds ready."""
