"""The exam: faults seeded into a pipeline that is in order, to see which of them its reference and policy catch."""
