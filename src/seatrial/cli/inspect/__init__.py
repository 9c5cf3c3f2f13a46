"""The commands that look into a failure: ``show`` reads what was kept of it, ``trace`` runs one request again."""
