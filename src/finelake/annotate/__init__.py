"""The one Python pass over conversations: repair, chat format, token counts, row checks."""
