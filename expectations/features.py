"""Expectations of the features. Columns without a tolerance are compared exactly."""

import great_expectations.expectations as gxe

from seatrial import Tolerance

tolerances = {"log_amount": Tolerance(rtol=1e-12)}  # the logarithm may differ in the last digit between CPUs


def expectations(reference):
    return [
        gxe.ExpectColumnValuesToBeBetween(column="hour", min_value=0, max_value=23),
        gxe.ExpectColumnValuesToBeBetween(column="amount_eur", min_value=0, strict_min=False),
    ]
