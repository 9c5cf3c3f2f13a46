"""Processes: started, guarded, watched and ended."""
