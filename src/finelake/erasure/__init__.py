"""Erasing conversations: from every table and file that finelake keeps, and from everything it makes later."""
