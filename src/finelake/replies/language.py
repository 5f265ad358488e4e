"""The language of a reply against the user's: short lists of function words settle most texts, a detector the rest.

The detector is py3langid (a well-kept fork of langid.py: pure Python and numpy, its model in the package, no network,
the same answer every time). It is loaded where the first text needs it: about 0.8 s and 120 MB a worker.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from finelake.config.replies import Replies
from finelake.replies.talk import Found, Talk, words_of

# Words of each language that are no words of the others, nor names that dialogues are full of.
_FUNCTION_WORDS: Mapping[str, str] = {
    "en": "the you your is are for and of with would have this that what please it's i'm yes there can how they we "
    "like will be here which not been does do i it a at my any yes okay sure great thanks thank good find want need "
    "sounds should let don't that's it'll i'd i'll know anything else more much other when where about one book look",
    "de": "ich und der das ist nicht sie ein eine mit auf für wir ihr ihre ihnen haben wird auch noch wie kann bitte "
    "einen dem den zu vom zur sind",
    "fr": "le les des est pour vous votre nous avec dans une je pas sur qui être cette ce aux mais du et",
    "es": "una por para con usted su está y pero muy qué gracias puede sus ha ya le más",
    "it": "il gli di che è una con sono della grazie può suo nel alla ho questo",
    "nl": "het een en u uw niet ik dat voor zijn wij op te bij kunt heb naar deze",
    "pt": "o os uma para com você seu sua não é do da em obrigado pode está mais ao",
}
_KIN = (
    {"no", "nb", "nn", "da", "sv"},
    {"id", "ms", "jv", "tl"},
    {"hr", "bs", "sr", "sl", "mk", "bg"},
    {"es", "gl", "pt", "an", "ca", "it", "oc"},
    {"nl", "af", "lb", "de"},
    {"cs", "sk"},
    {"ru", "uk", "be", "bg"},
    {"hi", "mr", "ne"},
    {"ar", "fa", "ur", "ps", "ug"},
    {"zh", "ja"},
)
_count_unspaced = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]").findall
_SCRIPTS = {
    "ja": re.compile("[\u3040-\u30ff]").findall,
    "ko": re.compile("[\uac00-\ud7af]").findall,
    "zh": re.compile("[\u4e00-\u9fff]").findall,
}
# A character of these scripts says about what three letters say.
_SAID_BY_ONE = 3
_not_language = re.compile(r"https?://\S+|\S*[@\d_]\S*").sub
_ENOUGH = 2
_LONGEST = 2_000


def language(talk: Talk, replies: Replies) -> Found | None:
    """Replies in another language than the user's; the value names the languages, the user's first."""
    config = replies.language
    spoken = " ".join(item.words for item in talk.users)[:_LONGEST]
    if not talk.replies or weighed_length(spoken) < config.min_characters:
        return None
    user = settled(spoken, enough=_ENOUGH)
    if user is None:
        name, probability = detect(spoken)
        user = name if probability >= config.min_probability else None
    if user is None:
        return None
    others = {}
    for reply in talk.replies:
        if len(reply.words) * 3 < config.min_characters or settled(reply.words) == user:
            continue
        other = _other(reply.plain, user, config.min_characters, config.min_probability)
        if other:
            others[reply.message] = other
    return Found(list(others), ",".join([user, *sorted(set(others.values()))])) if others else None


def settled(words: str, *, enough: int = 1) -> str | None:
    """Name the language of whose function words a text has enough, and at most half as many of others; else None."""
    if not words.isascii() and (script := _script(words)):
        return script
    owner, known = _owners()
    hits: dict[str, int] = {}
    for word in known.intersection(words.split(" ")):
        hits[owner[word]] = hits.get(owner[word], 0) + 1
    if not hits:
        return None
    first = max(hits, key=hits.__getitem__)
    return first if hits[first] >= max(enough, 2 * (sum(hits.values()) - hits[first])) else None


def _script(words: str) -> str | None:
    """Name the language by its script, where a quarter of what is said is written in it: ja, ko, zh or None."""
    for name, find in _SCRIPTS.items():
        if 4 * _SAID_BY_ONE * len(find(words)) >= len(words):
            return "ja" if name == "zh" and 10 * len(_SCRIPTS["ja"](words)) >= len(words) else name
    return None


def detect(plain: str) -> tuple[str, float]:
    """Give the detector's language (ISO 639-1) and its probability."""
    name, probability = _detector().classify(plain)
    return str(name), float(probability)


def weighed_length(text: str) -> int:
    """Count the characters that tell a language; one of a script without spaces counts as three."""
    return len(text) if text.isascii() else len(text) + (_SAID_BY_ONE - 1) * len(_count_unspaced(text))


def _other(plain: str, user: str, floor: int, min_probability: float) -> str | None:
    text = _not_language(" ", plain).strip()
    if weighed_length(text) < floor:
        return None
    words = words_of(text)
    if not words.isascii() and (script := _script(words)):
        return None if script == user or _are_kin(script, user) else script
    named = settled(words, enough=_ENOUGH)
    if named is not None and named != user:
        return named
    name, probability = detect(text)
    sure = probability >= min_probability or name == settled(words)
    return name if sure and name != user and not _are_kin(name, user) else None


def _are_kin(one: str, other: str) -> bool:
    """Say whether the detector takes texts of one language for the other's too easily to say."""
    return any(one in group and other in group for group in _KIN)


@cache
def _owners() -> tuple[Mapping[str, str], frozenset[str]]:
    """Give the language of each word that is in one list alone, and these words."""
    seen: dict[str, set[str]] = {}
    for name, words in _FUNCTION_WORDS.items():
        for word in words.split():
            seen.setdefault(word, set()).add(name)
    owners = {word: next(iter(names)) for word, names in seen.items() if len(names) == 1}
    return owners, frozenset(owners)


@cache
def _detector() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
