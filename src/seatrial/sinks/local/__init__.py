"""Local evidence in the state of a project: written for its owner alone, read by ``seatrial show``, sent nowhere."""
