"""Mixing: caps and weights per topic, language, origin or any column, to a budget of trained tokens."""
