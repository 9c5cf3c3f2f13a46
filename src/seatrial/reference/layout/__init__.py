"""How a reference lies on the disk: what the manifest says, and how rows are parted into partitions."""
