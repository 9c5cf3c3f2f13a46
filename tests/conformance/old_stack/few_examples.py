"""A plugin of pytest: property tests try few examples, for those that ran with many on another stack."""

from hypothesis import settings

settings.register_profile("few", max_examples=10, deadline=None)
settings.load_profile("few")
