"""The MLflow registry and tracking server."""
