"""Real models behind the local service: training processes, and chat servers that it asks."""
