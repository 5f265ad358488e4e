"""Sentence embeddings: one vector a conversation, from a column the user has or from a model the user names."""
