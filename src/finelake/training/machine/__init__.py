"""What training a model with weights on a machine of one's own will take: memory and time."""
