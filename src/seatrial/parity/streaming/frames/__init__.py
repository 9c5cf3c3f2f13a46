"""The comparison of frames that come in partitions."""
