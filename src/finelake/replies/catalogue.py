"""The rules about replies: each is named by its settings in `replies`, and its code is `reply_` and that name."""

from __future__ import annotations

from collections.abc import Mapping

from finelake.config.replies import Replies, ReplyAction
from finelake.rules.registry import Action, Rule, register

STEP = "replies"
ACTIONS: Mapping[ReplyAction, Action] = {"reject": "quarantine", "weight_0": "untrain", "warn": "note"}
"""What a rule's setting makes of its decisions; `off` makes none."""

_NO_TEXT = "A reply without text is not judged."
_DEFAULTS = Replies()


def _rule(key: str, summary: str, *, nulls: str = _NO_TEXT, source: str) -> tuple[str, Rule]:
    rule = register(
        Rule(
            code=f"reply_{key}",
            step=STEP,
            action=ACTIONS[_DEFAULTS.rule(key).action],
            summary=summary,
            policy_key=f"reply_{key}",
            nulls=nulls,
            source=source,
        )
    )
    return key, rule


_OWN_PHRASES = "Phrases of replies/phrases.toml, chosen by hand in English, German and Japanese, some in others."
_JUDGEMENT = "A judgement; see what it finds in your table before you change it."

REPLY_RULES: Mapping[str, Rule] = dict(
    (
        _rule("as_an_ai", "A reply speaks of itself as an AI or a language model.", source=_OWN_PHRASES),
        _rule("refusal", "A reply refuses to help or to answer.", source=_OWN_PHRASES),
        _rule("handoff", "A reply passes the user on to somebody else.", source=_OWN_PHRASES),
        _rule(
            "apology",
            "A reply apologises and says nothing else.",
            source="Words of replies/phrases.toml that an apology is made of.",
        ),
        _rule(
            "unfinished",
            "A reply breaks off: it ends in a comma, an open bracket, a joining word or an open code block.",
            source=_JUDGEMENT,
        ),
        _rule(
            "markup_only",
            "A reply holds nothing but markup, punctuation or white space.",
            source="What has no word cannot teach one; emoji count as content.",
        ),
        _rule(
            "prompt_markup",
            "A reply shows a prompt's own words, or the chat markers of another model.",
            source=_OWN_PHRASES,
        ),
        _rule(
            "prompt_leak",
            "A reply repeats a long part of the conversation's system prompt.",
            nulls="Without a system prompt nothing is compared; a reply without text is not judged.",
            source="Twelve words in a row; decontamination takes 8 to 13 for what is no chance.",
        ),
        _rule(
            "stack_trace",
            "A reply shows a program's stack trace outside a code block.",
            source="The forms that Python, Java and JavaScript print.",
        ),
        _rule("html", "A reply shows HTML tags or entities outside code.", source=_JUDGEMENT),
        _rule(
            "symbols",
            "A large share of a reply's characters are symbols.",
            source="NeMo Curator's NonAlphaNumericFilter (0.25), ordinary punctuation left out.",
        ),
        _rule(
            "digits",
            "A large share of a reply's characters are digits.",
            source="Measured on human replies; NeMo Curator's NumbersFilter (0.15) is meant for web pages.",
        ),
        _rule("canned", "A reply comes again and again across the table.", source=_JUDGEMENT),
        _rule(
            "echo",
            "A reply says back what the user just said.",
            nulls="A reply that no user message stands before is not judged, nor one without text.",
            source=_JUDGEMENT,
        ),
        _rule(
            "repetition",
            "A reply repeats itself.",
            source="Gopher's bound for duplicate 5-grams (0.15; Rae et al. 2021, table A1).",
        ),
        _rule("repeated_reply", "A reply comes again within its conversation.", source=_JUDGEMENT),
        _rule(
            "language",
            "A reply is in another language than the user's.",
            nulls="Without enough text of the user, or of the reply, nothing is judged.",
            source="Measured on human replies: no reply wrong with certainty at this length.",
        ),
        _rule(
            "length_ratio",
            "The user writes far more, or far less, than the assistant.",
            nulls="A conversation with little text is not judged.",
            source="Measured: outside of what human conversations show.",
        ),
        _rule(
            "turn_count",
            "The conversation has too few or too many messages.",
            nulls="Messages without text count.",
            source=_JUDGEMENT,
        ),
        _rule(
            "tool_arguments",
            "A tool call's arguments break the tool's JSON schema.",
            nulls="Without given definitions, or a schema in them, nothing is judged; inferred ones do not count.",
            source="JSON Schema, draft 2020-12 unless the schema names another.",
        ),
        _rule(
            "tool_undefined",
            "A call names a tool that the given definitions lack.",
            nulls="Without given definitions nothing is judged; inferred ones do not count.",
            source="A model must not learn to call what is not there.",
        ),
        _rule(
            "mojibake",
            "A reply's encoding is damaged.",
            source="The heuristic of ftfy, behind a cheap look for what it needs.",
        ),
    )
)

REPLIES_UNTRAINED = register(
    Rule(
        code="replies_untrained",
        step=STEP,
        action="quarantine",
        summary="Rules about replies or their origin left no reply of the conversation to train on.",
        nulls="A conversation of which no reply may be trained on from the start is assistant_missing.",
    )
)
REPLY_ORIGIN = register(
    Rule(
        code="reply_origin",
        step="origin",
        action="untrain",
        summary="Who wrote the reply is of an origin that is not trained on.",
        policy_key="origin",
        nulls="A reply without an origin has the origin unknown.",
        source="Everything is trained on unless origins.policy says otherwise.",
    )
)
