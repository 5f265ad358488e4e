"""API keys, tokens, private keys and passwords of connection strings, by the patterns of detect-secrets.

Only the patterns of its detectors are used: its entropy and keyword detectors take order numbers and talk about
passwords for secrets, and its verification calls the services, which no curation may do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module

from finelake.privacy.kinds import Finding

_DETECTORS = (
    ("aws", "AWSKeyDetector"),
    ("azure_storage_key", "AzureStorageKeyDetector"),
    ("discord", "DiscordBotTokenDetector"),
    ("github_token", "GitHubTokenDetector"),
    ("gitlab_token", "GitLabTokenDetector"),
    ("jwt", "JwtTokenDetector"),
    ("mailchimp", "MailchimpDetector"),
    ("openai", "OpenAIDetector"),
    ("pypi_token", "PypiTokenDetector"),
    ("sendgrid", "SendGridDetector"),
    ("slack", "SlackDetector"),
    ("square_oauth", "SquareOAuthDetector"),
    ("stripe", "StripeDetector"),
    ("telegram_token", "TelegramBotTokenDetector"),
    ("twilio", "TwilioKeyDetector"),
)
# Forms that detect-secrets 1.5 lacks: GitHub's fine-grained tokens, Google, Anthropic, OpenAI's project keys,
# Hugging Face, npm and Databricks, each as its vendor documents it.
_NEWER = re.compile(
    r"github_pat_[A-Za-z0-9_]{40,}|AIza[A-Za-z0-9_-]{35}|sk-(?:ant-[a-z0-9]+|proj|svcacct)-[A-Za-z0-9_-]{32,}|"
    r"hf_[A-Za-z0-9]{34}|npm_[A-Za-z0-9]{36}|dapi[0-9a-f]{32}"
)
_HEADER = re.compile(r"(?<=earer )[A-Za-z0-9_.~+/=-]{20,}")
_CONNECTION = re.compile(
    r"(?i)(?:^|[;\s])(?:password|pwd|accountkey|sharedaccesskey|shared access key)\s*=\s*([^;\s\"']{4,})"
)
_is_connection = re.compile(
    r"(?i)(?:server|host|data source|endpoint|accountname|user id|uid|database|initial catalog)\s*=[^;]+;"
).search
_find_private_key = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\s:,.\\-]{20,}?"
    r"(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|(?=[^A-Za-z0-9+/=\s:,.\\-])|\Z)"
).finditer
_rest_of_token = re.compile(r"(?:[A-Za-z0-9_+/=-]|\.(?=[A-Za-z0-9_]))*").match
_SHORTEST_VALUE = 20
_has_long_run = re.compile(r"[A-Za-z0-9_+/=-]{20}").search


def secrets(text: str) -> Iterator[Finding]:
    """Find secrets; a text without a run of 20 key-like characters and without a connection string has none."""
    if "=" in text and ";" in text and _is_connection(text):
        for match in _CONNECTION.finditer(text):
            yield Finding(match.start(1), match.end(1), "secret", match.group(1))
    if not _has_long_run(text):
        return
    for match in _find_private_key(text):
        yield Finding(match.start(), match.end(), "secret", match.group())
    for pattern, is_valid in _patterns():
        for match in pattern.finditer(text):
            group = 1 if match.lastindex and len(match[1] or "") >= _SHORTEST_VALUE else 0
            start, end = match.start(group), _end_of_token(text, match.end(group))
            inside = start > 0 and text[start - 1].isascii() and text[start - 1].isalnum()
            if not inside and (is_valid is None or is_valid(text[start:end])):
                yield Finding(start, end, "secret", text[start:end])


def _end_of_token(text: str, end: int) -> int:
    """Extend a match over the rest of the token: some patterns stop at the length that is sure."""
    rest = _rest_of_token(text, end)
    return rest.end() if rest else end


@cache
def _patterns() -> Sequence[tuple[re.Pattern[str], Callable[[str], bool] | None]]:
    """Load the detectors' patterns once a process; detect-secrets imports an HTTP client, so not before."""
    found: list[tuple[re.Pattern[str], Callable[[str], bool] | None]] = [(_NEWER, None), (_HEADER, None)]
    for module, name in _DETECTORS:
        detector = getattr(import_module(f"detect_secrets.plugins.{module}"), name)()
        is_valid = getattr(detector, "is_formally_valid", None)
        found += [(pattern, is_valid) for pattern in detector.denylist]
    return found
