"""Rules about replies: what is found in them, who wrote them, and what follows for training."""
