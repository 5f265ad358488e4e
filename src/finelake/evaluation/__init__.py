"""Comparing the tuned with the base model on the held-out test split, and the verdict that follows."""
