"""Settings: where they are declared, how files become settings, and the catalogue of models."""
