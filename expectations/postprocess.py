"""Expectations of the decisions: a probability is between 0 and 1, a decision is one of three values."""

import great_expectations.expectations as gxe


def expectations(reference):
    return [
        gxe.ExpectColumnValuesToNotBeNull(column="probability"),
        gxe.ExpectColumnValuesToBeBetween(column="probability", min_value=0, max_value=1),
        gxe.ExpectColumnValuesToBeInSet(column="decision", value_set=["approve", "review", "decline"]),
    ]
