"""One thread from table to model: what a run was made of, made again, compared with another run, and listed."""
