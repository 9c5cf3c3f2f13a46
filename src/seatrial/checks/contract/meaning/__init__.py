"""What the model says of itself, compared with what the pipeline gives it and with the champion."""
