"""IP addresses by the ipaddress module, and credentials inside URLs."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from finelake.privacy.context import label_before
from finelake.privacy.kinds import Finding

_find_ipv4 = re.compile(r"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)", re.ASCII).finditer
_find_ipv6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{3,39}(?![\w:]|\.\d)", re.ASCII).finditer
_SMALLEST_UNLABELLED = 10
_FEWEST_IPV6_GROUPS = 3

_find_url = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[!-~]+").finditer
_find_parameter = re.compile(r"[?&;#]([A-Za-z0-9_.\-]{1,40})=([^&;#\s\"'<>]{8,})").finditer
_is_sensitive = re.compile(
    r"(?:x-amz-|x-goog-|x-ms-)?(?:access_?|auth_?|refresh_?|id_?|api_?|session_?|reset_?|security-?)?"
    r"(?:token|key|sig|signature|secret|password|passwd|pwd|auth|credential|jwt|sid|sessionid|session)",
    re.IGNORECASE,
).fullmatch
_URL_END = ".,;:!?)]}>'\""


def ips(text: str) -> Iterator[Finding]:
    """Find IPv4 and IPv6 addresses; version and section numbers, loopback and unspecified addresses are none."""
    for match in _find_ipv4(text):
        address = _address(match.group())
        label = label_before(text, match.start())
        if address and (label == "ip" or (label != "version" and _is_large(match.group()))):
            yield Finding(match.start(), match.end(), "ip", address)
    if text.count(":") < 2:
        return
    for match in _find_ipv6(text):
        written = match.group().rstrip(":") if not match.group().endswith("::") else match.group()
        groups = [group for group in written.split(":") if group]
        if len(groups) >= _FEWEST_IPV6_GROUPS and any(character.isdigit() for character in written):
            address = _address(written)
            if address:
                yield Finding(match.start(), match.start() + len(written), "ip", address)


def url_credentials(text: str) -> Iterator[Finding]:
    """Find `user:password` of URLs, and the values of query parameters that are named as tokens or keys."""
    for match in _find_url(text):
        url = match.group().rstrip(_URL_END)
        start = match.start() + url.index("://") + 3
        authority = re.split(r"[/?#]", url[url.index("://") + 3 :], maxsplit=1)[0]
        user, at, _ = authority.rpartition("@")
        if at and 0 < user.find(":") < len(user) - 1:
            yield Finding(start, start + len(user), "url_credential", user)
        for parameter in _find_parameter(url):
            if _is_sensitive(parameter.group(1)):
                at_value = match.start() + parameter.start(2)
                value = parameter.group(2)
                yield Finding(at_value, at_value + len(value), "url_credential", value)


def _address(written: str) -> str | None:
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        return None
    if address.is_unspecified or address.is_loopback or address.is_multicast or written.startswith(("0.", "255.")):
        return None
    return address.compressed


def _is_large(written: str) -> bool:
    """Tell 203.0.113.9 from the likes of 1.2.3.4, which are versions and sections unless they are called addresses."""
    parts = [int(part) for part in written.split(".")]
    return max(parts) > 99 or min(parts) >= _SMALLEST_UNLABELLED
