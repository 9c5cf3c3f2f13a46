"""Files, tables, JSON and bundles on this machine."""
