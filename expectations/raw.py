"""Expectations of parsed requests, beyond matching the reference."""

import great_expectations.expectations as gxe


def expectations(reference):
    return [
        gxe.ExpectColumnValuesToNotBeNull(column="amount"),
        gxe.ExpectColumnValueLengthsToEqual(column="country", value=2),
    ]
