"""What the steps of one curation share: the run with its tables, and what names it."""
