"""Expectations of parsed requests, in addition to the comparison with the reference."""

import great_expectations.expectations as gxe


def expectations(reference):
    return [
        gxe.ExpectColumnValuesToNotBeNull(column="amount"),
        gxe.ExpectColumnValueLengthsToEqual(column="country", value=2),
    ]
