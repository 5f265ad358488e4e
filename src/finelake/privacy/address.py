"""Street addresses by their form: English (number and street), German (street and number), Japanese (to the block)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from finelake.privacy.kinds import Finding

_ENGLISH = (
    r"(?<![\w.,/-])\d{1,5}[A-Za-z]?,? (?:[NSEW]\.? |North |South |East |West )?"
    r"(?:(?:[A-Z][\w'\u2019.-]*|\d{1,3}(?:st|nd|rd|th)) ){1,4}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Square|Terrace|Close|Crescent|Gardens|"
    r"Place|Pl|Parkway|Pkwy|Highway|Hwy|Way|Mews|Yard|Row)\b"
    r"(?:\.(?=,? \w))?(?:,? (?:Apt|Suite|Unit|Flat|#)\.? ?\w{1,5}\b)?"
)
_GERMAN = (
    r"\b(?:[A-ZÄÖÜ][\wäöüß-]*(?:straße|strasse|str\.|weg|platz|allee|gasse|ufer|damm|ring|steig|chaussee)|"
    r"(?:[A-ZÄÖÜ][\wäöüß-]+ ){1,2}(?:Straße|Strasse|Str\.|Weg|Platz|Allee|Gasse|Ufer|Damm|Ring)|"
    r"(?:Am|An der|Auf dem|Im|In der|Zum|Zur) (?:[A-ZÄÖÜ][\wäöüß-]+ )?"
    r"(?:Markt|Bahnhof|Hof|Park|Berg|See|Wald|Feld|Graben|Tor|Dom|Rathaus|Anger|Hang|Bach|Mühle))"
    r" \d{1,4}(?:[-\u2013/]\d{1,4}| ?[a-z])?\b"
    r"(?!\s?(?:Uhr|Euro|EUR|€|%|km|Minuten|Meter|Stunden|Tage|Personen)|[.,:]\d)"
)
_JAPANESE = (
    r"(?:〒\s?\d{3}-?\d{4}\s?)?(?:東京都|北海道|京都府|大阪府|[一-龥]{2,3}県)[一-龥ぁ-んァ-ヶー]{1,20}?[市区町村郡]"
    r"[一-龥ぁ-んァ-ヶー]{0,16}?[0-9\uff10-\uff19一二三四五六七八九十]{1,4}(?:丁目|番地?|[-\uff0d\u2212ー]|号)"
    r"(?:[0-9\uff10-\uff19]{1,4}(?:番地?|号|[-\uff0d\u2212ー])?){0,3}"
)
# A cheap look in front of each form: what it cannot do without.
_FORMS = (
    (re.compile(r"\d[A-Za-z]?,? (?:[A-Z]|\d)"), re.compile(_ENGLISH)),
    (
        re.compile(
            r"(?:aße|tr\.|eg|latz|llee|asse|fer|amm|ing|teig|aussee|arkt|hof|Hof|ark|erg|See|ald|eld|aben|Tor|Dom|"
            r"aus|nger|ang|ach|hle) \d"
        ),
        re.compile(_GERMAN),
    ),
    (re.compile(r"[都道府県]"), re.compile(_JAPANESE)),
)


def addresses(text: str) -> Iterator[Finding]:
    """Find street addresses; a street without a number is none."""
    for look, form in _FORMS:
        if not look.search(text):
            continue
        for match in form.finditer(text):
            written = match.group().rstrip(" ")
            yield Finding(match.start(), match.start() + len(written), "address", " ".join(written.casefold().split()))
