"""Kubeflow Model Registry: versions, aliases and verdicts as custom properties; files where the artifact's URI says."""
