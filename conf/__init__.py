"""Configuration files that are installed with the package."""
