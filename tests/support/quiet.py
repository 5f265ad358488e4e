"""Settings that turn the rules about replies off, for tests of something else."""

from __future__ import annotations

from finelake.config.replies import Replies

NO_REPLY_RULES = {name: {"action": "off"} for name in Replies.model_fields}
