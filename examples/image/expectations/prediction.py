"""Another batch may round the last digit of a float32 otherwise."""

from seatrial import Tolerance

tolerances = {"chances": Tolerance(rtol=1e-4, atol=1e-6)}
