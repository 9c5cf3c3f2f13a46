"""What is refused before anything slow is imported or started. Only what is certain is refused here.

Each check asks what a later step would ask, but without a server, a worker or a slow import. What cannot be told so is
left to that step, which runs before the first stage does.
"""
