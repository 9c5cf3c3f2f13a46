"""The commands that see and steer many versions: status, history, rerun, cancel."""
