"""What the words in front of a number say it is: the nearest label decides."""

from __future__ import annotations

import re
from typing import Literal

Label = Literal["phone", "tax", "social", "bsn", "my_number", "card", "ip", "version", "reference"]

REACH = 40
"""Characters in front of a number in which a label counts; labels stand beside what they name."""

WORDS: dict[Label, str] = {
    "phone": r"phone|\bcall\b|calling|\bring\b|\btel\b|mobile|\bcell\b|\bfax\b|whatsapp|\btext me\b|\breach\b|"
    r"telefon|handy|mobil|ruf(?:en|nummer|e)?\b|anruf|durchwahl|erreich|電話|携帯|連絡先|ファックス|\uff54\uff45\uff4c",
    "tax": r"\btax (?:id|number|identification)|\btin\b|steuer-?id|steueridentifikation|steuernummer|\bidnr",
    "social": r"social security|\bssn\b|sozialversicherung|社会保障番号",
    "bsn": r"\bbsn\b|burgerservice|sofi",
    "my_number": r"my number|マイナンバー|個人番号",
    "card": r"\bvisa|mastercard|amex|american express|credit card|debit card|kreditkarte|kartennummer|カード",
    "ip": r"\bip\b|ip-|ipv[46]|address|adresse|\bserver|\bhost|\bping|\bdns\b|アドレス|サーバ",
    "version": r"version|\bver\b|\bv\.?$|firmware|release|build|update to|section|chapter|abschnitt|kapitel|clause|"
    r"バージョン|ファームウェア|ビルド|項目?",
    "reference": r"\border|invoice|ticket|booking|reference|\bref\b|tracking|\bcase\b|customer (?:no|number|id)|serial|"
    r"article|\bpart\b|\bsku\b|\bmodel\b|product|\bisbn|\bean\b|\bpo\b|parcel|shipment|confirmation|transaction|"
    r"account (?:no|number)|member|#\s*$|\bno\.\s*$|\bid\b|"
    r"bestell|rechnung|auftrag|vorgang|sendung|kundennummer|seriennummer|artikel|aktenzeichen|buchung|paket|"
    r"mitglied|vertrag|zähler|"
    r"注文|請求|追跡|伝票|予約|製品|型番|シリアル|問い合わせ番号|受付番号|会員番号|整理番号|商品|取引|管理番号|送り状",
}
"""The words of each label, as patterns over text in small letters."""
# A border is told by Latin letters alone: between a Japanese word and a Latin one "\b" sees none. Where a word begins
# with one, its letter stands first: the engine passes over a word at once when its first letter is another one.
_BORDER = r"(?:(?<![a-z])(?=[a-z])|(?<=[a-z])(?![a-z]))"
_ALL_WORDS = "|".join(f"(?P<{label}>{words})" for label, words in WORDS.items())
_LETTER_FIRST = re.sub(r"(?<=[|>])\\b([a-z])", r"\1(?<![a-z]\1)", _ALL_WORDS)
_find = re.compile(_LETTER_FIRST.replace(r"\b", _BORDER)).finditer


def label_before(text: str, start: int) -> str | None:
    """Name the last label within reach of the position, None when there is none."""
    label: str | None = None
    # With the character in front of the reach, by which a word's border is told.
    reached = text[max(0, start - REACH - 1) : start].lower()
    for match in _find(reached, int(start > REACH)):
        label = match.lastgroup
    return label
