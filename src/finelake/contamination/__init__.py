"""Decontamination: text that training examples share with evaluation data, found by word n-grams."""
