"""What a validation has beside the judge: results of earlier runs, and what is kept on this machine alone."""
