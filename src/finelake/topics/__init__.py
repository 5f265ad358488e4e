"""Topics: what conversations are about, by clustering a bounded sample and assigning every conversation on Spark."""
