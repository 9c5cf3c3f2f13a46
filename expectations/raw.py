"""What must hold of parsed requests, beyond being as they were in training."""

import great_expectations.expectations as gxe


def expectations(reference):
    return [
        gxe.ExpectColumnValuesToNotBeNull(column="amount"),
        gxe.ExpectColumnValueLengthsToEqual(column="country", value=2),
    ]
