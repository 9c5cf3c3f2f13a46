"""Where a verdict is shown: one file a medium, each a plain function of a finished verdict."""
