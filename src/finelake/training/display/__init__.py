"""Showing a training run: a live view on a terminal, log lines elsewhere."""
