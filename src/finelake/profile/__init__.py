"""Profile: what the rules about replies measure on a table, and where a line could be drawn."""
