"""What must hold of every answer, beside its being the recorded one."""

import great_expectations.expectations as gxe


def expectations(reference):
    return [gxe.ExpectColumnValuesToBeInSet(column="queue", value_set=["account", "billing", "delivery"])]
