"""Task mains: thin entry points of the wheel."""
