"""Why two columns differ: one function a cause."""
