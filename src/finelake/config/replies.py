"""Settings of the rules about replies, one class a rule, and of what is known of who wrote a reply.

Every rule has an `action`: reject sets the conversation aside, weight_0 keeps the reply as context that is not
trained on, warn notes it in the ledger, off does not look. Defaults name their source; `measured` means the real data
of docs/rules.md.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from finelake.config.section import Fraction, OffIsAWord, PositiveInt, Section

ReplyAction = Annotated[Literal["reject", "weight_0", "warn", "off"], OffIsAWord]
OriginAction = Literal["train", "weight_0", "reject"]
OriginName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:/@+-]{0,63}$")]
Phrases = tuple[Annotated[str, StringConstraints(min_length=3, max_length=200)], ...]

MIXED = "mixed"
UNKNOWN = "unknown"


class ReplyRule(Section):
    """The base of a rule's settings."""

    action: ReplyAction = "warn"


class AsAnAi(ReplyRule):
    """Replies in which a model speaks of itself; `phrases` are added to those that the package brings."""

    action: ReplyAction = "weight_0"
    phrases: Phrases = ()


class Refusal(ReplyRule):
    """Replies that refuse; a desk may have to, so they are noted."""

    phrases: Phrases = ()


class Handoff(ReplyRule):
    """Replies that pass the user on to somebody else."""

    phrases: Phrases = ()


class Apology(ReplyRule):
    """Replies that apologise and say nothing else; `words` are added to those that count as saying nothing."""

    words: Phrases = ()


class Unfinished(ReplyRule):
    """Replies that break off. Shorter ones than `min_characters` are not judged; `ellipsis` counts dots as well."""

    min_characters: PositiveInt = 15
    ellipsis: bool = False


class MarkupOnly(ReplyRule):
    """Replies of markup, white space and punctuation alone."""

    action: ReplyAction = "weight_0"


class PromptMarkup(ReplyRule):
    """Replies that show a prompt's own words or another model's chat markers."""

    action: ReplyAction = "weight_0"
    phrases: Phrases = ()


class PromptLeak(ReplyRule):
    """Replies that repeat at least `words` words of the system prompt in a row."""

    action: ReplyAction = "weight_0"
    words: Annotated[int, Field(ge=4)] = 12


class StackTrace(ReplyRule):
    """Replies that show a program's stack trace outside a code block."""

    action: ReplyAction = "weight_0"


class Html(ReplyRule):
    """Replies with at least `tags` HTML tags or entities outside code."""

    tags: PositiveInt = 1


class Symbols(ReplyRule):
    """Replies in which more than `max_share` of the characters are symbols.

    Default: NeMo Curator's NonAlphaNumericFilter (0.25), of which ordinary punctuation is left out here.
    """

    max_share: Fraction = 0.25
    min_characters: PositiveInt = 20


class Digits(ReplyRule):
    """Replies in which more than `max_share` of the characters are digits.

    Default: measured; NeMo Curator's NumbersFilter has 0.15, which is right for web pages and flags honest replies
    with a telephone number and an address.
    """

    max_share: Fraction = 0.5
    min_characters: PositiveInt = 40


class Canned(ReplyRule):
    """Replies that come again and again across the table, letter case, digits and punctuation aside.

    Both bounds must be reached: `min_count` times, and `min_share` of the table's rows. Replies shorter than
    `min_characters` are not counted. At most `max_kept` of them, the most frequent, are looked for.
    """

    min_count: Annotated[int, Field(ge=2)] = 50
    min_share: Fraction = 0.001
    min_characters: PositiveInt = 20
    max_kept: Annotated[int, Field(ge=1, le=5_000)] = 2_000


class Echo(ReplyRule):
    """Replies of at least `min_words` words that say back what the user said.

    A reply is an echo where the shared text is at least `min_share` of it.
    """

    min_words: PositiveInt = 4
    min_share: Fraction = 0.8


class Repetition(ReplyRule):
    """Replies of at least `min_words` words that repeat themselves.

    `max_share` of the five-word runs may be repeats. Default: Gopher's bound for duplicate 5-grams (0.15 of the
    characters; Rae et al. 2021, table A1), counted in runs.
    """

    min_words: Annotated[int, Field(ge=10)] = 20
    max_share: Fraction = 0.15


class RepeatedReply(ReplyRule):
    """Replies of at least `min_characters` characters that the same conversation already had."""

    min_characters: PositiveInt = 30


class Language(ReplyRule):
    """Replies in another language than the user's.

    Texts below `min_characters` letters are not judged, and neither are those whose language the detector gives a
    probability below `min_probability`. Default floors: measured.
    """

    min_characters: PositiveInt = 25
    min_probability: Fraction = 0.95


class LengthRatio(ReplyRule):
    """Conversations whose user writes far more or far less than the assistant, in characters (user / assistant).

    Conversations whose texts together are below `min_characters` are not judged.
    """

    min_ratio: Annotated[float, Field(ge=0)] = 0.02
    max_ratio: Annotated[float, Field(gt=0)] = 10.0
    min_characters: PositiveInt = 200

    @model_validator(mode="after")
    def _in_order(self) -> LengthRatio:
        if self.min_ratio >= self.max_ratio:
            raise ValueError("min_ratio must be below max_ratio")
        return self


class TurnCount(ReplyRule):
    """Conversations with fewer or more messages of user and assistant than these."""

    min_messages: PositiveInt = 2
    max_messages: PositiveInt = 200

    @model_validator(mode="after")
    def _in_order(self) -> TurnCount:
        if self.min_messages > self.max_messages:
            raise ValueError("min_messages must not be above max_messages")
        return self


class ToolArguments(ReplyRule):
    """Tool calls whose arguments break the JSON schema of the tool, where definitions are given."""

    action: ReplyAction = "weight_0"


class ToolUndefined(ReplyRule):
    """Calls of a tool that the given definitions lack."""

    action: ReplyAction = "weight_0"


class Mojibake(ReplyRule):
    """Replies whose encoding is damaged: UTF-8 read as something else, or replacement characters."""


class Replies(Section):
    """The rules about replies, by the name that follows `reply_` in their reason code."""

    as_an_ai: AsAnAi = AsAnAi()
    refusal: Refusal = Refusal()
    handoff: Handoff = Handoff()
    apology: Apology = Apology()
    unfinished: Unfinished = Unfinished()
    markup_only: MarkupOnly = MarkupOnly()
    prompt_markup: PromptMarkup = PromptMarkup()
    prompt_leak: PromptLeak = PromptLeak()
    stack_trace: StackTrace = StackTrace()
    html: Html = Html()
    symbols: Symbols = Symbols()
    digits: Digits = Digits()
    canned: Canned = Canned()
    echo: Echo = Echo()
    repetition: Repetition = Repetition()
    repeated_reply: RepeatedReply = RepeatedReply()
    language: Language = Language()
    length_ratio: LengthRatio = LengthRatio()
    turn_count: TurnCount = TurnCount()
    tool_arguments: ToolArguments = ToolArguments()
    tool_undefined: ToolUndefined = ToolUndefined()
    mojibake: Mojibake = Mojibake()

    def rule(self, key: str) -> ReplyRule:
        """Give a rule's settings by its name."""
        found: ReplyRule = getattr(self, key)
        return found


class OriginRule(Section):
    """Name the origin of a reply whose row says none: every condition that is given must be found in its value.

    `author`, `agent_id`, `text` and the values of `metadata` (by column) are regular expressions of the kind that
    Java and Python read alike; letter case counts.
    """

    origin: OriginName
    author: str | None = None
    agent_id: str | None = None
    text: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_be_tested(self) -> OriginRule:
        patterns = [item for item in (self.author, self.agent_id, self.text, *self.metadata.values()) if item]
        if not patterns:
            raise ValueError("give author, agent_id, text or metadata: a rule without a condition names everything")
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return self


class Origins(Section):
    """Who wrote the replies, and what is done with them.

    The mapped column `origin` comes first, then the first of `rules` that fits. `policy` is by origin name, letter
    case aside; `unknown` stands for replies without an origin, `mixed` for messages joined of several origins (else
    the strictest of theirs counts), and `default` is for all that are not named. Tokens of the names in `human` count
    as written by humans.
    """

    rules: tuple[OriginRule, ...] = ()
    policy: dict[OriginName, OriginAction] = Field(default_factory=dict)
    default: OriginAction = "train"
    human: tuple[OriginName, ...] = ("human", "agent", "human_agent", "edited")
