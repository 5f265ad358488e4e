"""Exact token counts: the engines, and the formula from encoded texts to messages and examples."""
