"""E-mail addresses by their form, telephone numbers by the numbering plans of the phonenumbers library."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import phonenumbers

from finelake.privacy.context import label_before
from finelake.privacy.kinds import Finding

# Local part: at most 64 characters (RFC 5321, 4.5.3.1.1). Bounded, and begun only where a run begins, so that a long
# run without "@" costs one look.
_find_email = re.compile(
    r"(?<![A-Za-z0-9._%+\-À-ɏ])([A-Za-z0-9_%+\-À-ɏ][A-Za-z0-9._%+\-À-ɏ]{0,63})@"
    r"((?:[A-Za-z0-9À-ɏ](?:[A-Za-z0-9\-À-ɏ]{0,61}[A-Za-z0-9À-ɏ])?\.){1,8}([A-Za-z]{2,24}))"
    r"(?![A-Za-z0-9\-]|\.[A-Za-z0-9])"
).finditer
_FILE_ENDINGS = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "pdf", "css", "js", "html", "txt", "zip", "mp4"})

_SEPARATOR = r"[ \t\u00a0()\uff08\uff09.\-/\u2010-\u2015\u2212\uff0d\u30fc]"
_find_number = re.compile(
    rf"(?<![A-Za-z0-9\uff10-\uff19@])(?<!\d[.,])[+\uff0b]?[(\uff08]?\d(?:{_SEPARATOR}{{0,3}}\d){{6,16}}(?![A-Za-z0-9@]|[.,]\d)"
).finditer
_is_calendar = re.compile(
    r"(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}|\d{4}\s?[-\u2013]\s?\d{4})(?:[ -]+\d{1,4})*"
).fullmatch
_is_dotted_quad = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}").fullmatch
_is_written_as_phone = re.compile(
    rf"(?:[(\uff08]?[0\uff10]\d{{1,4}}{_SEPARATOR}+[\d \-./\uff0d\u30fc]+|"
    r"\(?[2-9]\d\d(?:\) ?|[-. ])[2-9]\d\d[-. ]\d{4})"
).fullmatch
_groups = re.compile(r"[+\uff0b]?[(\uff08]?\d+[)\uff09]?").finditer
_FEWEST_DIGITS = 7


def emails(text: str) -> Iterator[Finding]:
    """Find e-mail addresses; addresses of git remotes and names of image files are none."""
    for match in _find_email(text):
        local, domain, ending = match.groups()
        followed_by_path = text[match.end() : match.end() + 1] == ":" and local == "git"
        if not followed_by_path and ending.lower() not in _FILE_ENDINGS and ".." not in local:
            yield Finding(match.start(), match.end(), "email", f"{local}@{domain}".lower())


def phones(text: str, regions: Sequence[str]) -> Iterator[Finding]:
    """Find telephone numbers that are valid in one of the regions, or in any with a country code.

    A number without a country code must be written as one or be called one; one that the words before it call an
    order, a ticket or a version is none.
    """
    for match in _find_number(text):
        number = match.group().rstrip(" \t(")
        if _is_calendar(number) or _is_dotted_quad(number):
            continue
        label = label_before(text, match.start())
        if label in ("reference", "version") and not number.startswith(("+", "\uff0b")):
            continue
        for start, end in _stretches(number):
            value = _valid(number[start:end], regions, called_phone=label == "phone")
            if value:
                yield Finding(match.start() + start, match.start() + end, "phone", value)
                break


def _stretches(number: str) -> Iterator[tuple[int, int]]:
    """Give the whole number, then the number without last or first groups, which may belong to something else."""
    groups = [match.span() for match in _groups(number)]
    last = len(groups)
    for first, end in ((0, last), (0, last - 1), (1, last), (0, last - 2)):
        if end > first and not (first and number[0] in "+\uff0b"):
            yield groups[first][0], groups[end - 1][1]


def _valid(number: str, regions: Sequence[str], *, called_phone: bool) -> str | None:
    """Return the number in E.164 form when a numbering plan allows it."""
    if sum(character.isdigit() for character in number) < _FEWEST_DIGITS:
        return None
    by_form = number.startswith(("+", "\uff0b", "00")) or _is_written_as_phone(number) is not None
    # A numbering plan is asked last: that takes far longer than a look at the form.
    if not (by_form or called_phone or _may_be_bare(number)):
        return None
    for region in (None,) if number[0] in "+\uff0b" else regions:
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            continue
        if not phonenumbers.is_valid_number(parsed):
            continue
        if by_form or called_phone or _is_mobile(parsed):
            return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return None


def _may_be_bare(number: str) -> bool:
    return number.isdigit() and number[0] in "0\uff10"


def _is_mobile(parsed: phonenumbers.PhoneNumber) -> bool:
    kind: int = phonenumbers.number_type(parsed)
    return kind == phonenumbers.PhoneNumberType.MOBILE
