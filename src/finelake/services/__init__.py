"""Fine-tuning services: signing in, and what differs between them and nothing else."""
