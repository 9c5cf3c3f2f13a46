"""``seatrial kserve``: a version as an InferenceService of KServe, and its traffic raised by ``verify`` alone."""
