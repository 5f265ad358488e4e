"""Personal data and secrets in conversations: found, replaced by pseudonyms, and recorded without their values."""
