"""A stand-in for ClearML's server, since it has no wheel: its API, checked by the package's own request and response
classes, and its file server. What the package sends is validated by its class, and so is what it is answered.
"""
