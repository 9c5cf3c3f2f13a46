"""Expectations of the features. Tolerances are for columns whose last digits may differ; the others are exact."""

import great_expectations.expectations as gxe

from seatrial import Tolerance

tolerances = {"log_amount": Tolerance(rtol=1e-12)}  # the logarithm may differ by a last digit between processors


def expectations(reference):
    return [
        gxe.ExpectColumnValuesToBeBetween(column="hour", min_value=0, max_value=23),
        gxe.ExpectColumnValuesToBeBetween(column="amount_eur", min_value=0, strict_min=False),
    ]
