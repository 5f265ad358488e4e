"""Plant defects: each function takes the entries of a clean conversation, spoils them and tells the truth about it."""
