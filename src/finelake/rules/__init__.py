"""Rules: every reason code is registered once, with its step, action and meaning."""
