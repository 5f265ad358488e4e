"""Metrics of one answer: a file a family, and a registry of them. A new metric is an entry in its family's `METRICS`.

A metric is a pure function of a `Case`: what was asked, what was expected, what was answered. It gives None where it
does not apply; whether it applies must follow from the prompt and the reference alone, so that both models are
measured on the same items.
"""
