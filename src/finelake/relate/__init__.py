"""Relations between conversations: which are duplicates of which."""
