"""Redaction of whole conversations: pseudonyms, tool calls, receipts, and that nothing else changes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finelake.config.settings import Privacy as PrivacySettings
from finelake.conversations.repair import repair
from finelake.conversations.turns import OWN_KEYS, Repaired, TurnRow
from finelake.errors import ConfigError
from finelake.privacy.detect import may_hold_any
from finelake.privacy.plan import key_check, plan_privacy
from finelake.privacy.redact import Privacy

KEY = {"PRIVACY_KEY": "a key that is long enough"}
CALL_ID = "call_a"


def privacy(**choices: Any) -> Privacy:
    return Privacy(plan_privacy(PrivacySettings.model_validate(choices), table="raw", environment=KEY))


def talk(*texts: str, arguments: str | None = None, result: str = "") -> Repaired:
    """A repaired conversation; with arguments, a tool call and its result come before the last reply."""
    rows: list[TurnRow] = [{"i": n, "r": ("user", "assistant")[n % 2], "x": text} for n, text in enumerate(texts)]
    if arguments is not None:
        call = {"id": CALL_ID, "type": "function", "function": {"name": "look_up", "arguments": arguments}}
        reply = rows.pop()
        rows.append({"i": 90, "r": "assistant", "x": "", "c": json.dumps([call])})
        rows.append({"i": 91, "r": "tool", "x": result, "d": CALL_ID})
        rows.append({**reply, "i": 92})
    for n, row in enumerate(rows):
        row["i"] = n
    repaired = repair(rows)
    assert not repaired.reasons
    return repaired


def contents(repaired: Repaired) -> list[str | None]:
    return [message["content"] for message in repaired.messages]


def arguments_of(repaired: Repaired) -> str:
    (call,) = [call for message in repaired.messages for call in message.get("tool_calls", ())]
    return str(call["function"]["arguments"])


def test_a_value_has_one_pseudonym_across_roles_calls_and_results() -> None:
    repaired = talk(
        "I am Grace@example.com, phone (415) 555-2671.",
        "Is grace@example.com right, and not joan@example.com?",
        "Yes.",
        "Found you: grace@example.com",
        arguments='{ "email": "grace@example.com",\t"phone": 4155552671, "order": 1234567890 }',
        result='{"email": "grace@example.com", "note": "called +1 415-555-2671"}',
    )
    privacy().protect(repaired)
    assert contents(repaired) == [
        "I am [EMAIL_1], phone [PHONE_1].",
        "Is [EMAIL_1] right, and not [EMAIL_2]?",
        "Yes.",
        None,
        '{"email": "[EMAIL_1]", "note": "called [PHONE_1]"}',
        "Found you: [EMAIL_1]",
    ]
    assert arguments_of(repaired) == '{ "email": "[EMAIL_1]",\t"phone": "[PHONE_1]", "order": 1234567890 }'


def test_receipts_name_kind_message_turn_and_hash_and_no_value() -> None:
    repaired = talk("I am grace@example.com.", "Thanks.", "And joan@example.com, from 203.0.113.77", "Noted.")
    privacy().protect(repaired)
    noted = {made.reason: made for made in repaired.decisions}
    assert sorted(noted) == ["privacy_email", "privacy_ip"]
    assert (noted["privacy_email"].action, noted["privacy_email"].turns) == ("note", [0, 2])
    assert noted["privacy_email"].threshold == "redact"
    assert re.fullmatch(r"0:[0-9a-f]{6},2:[0-9a-f]{6}", noted["privacy_email"].value or "")
    assert noted["privacy_ip"].threshold == "report"
    assert "example" not in repr(repaired.decisions)
    assert contents(repaired)[2] == "And [EMAIL_2], from 203.0.113.77"


def test_a_rejected_kind_sets_the_conversation_aside_and_its_payload_holds_no_value() -> None:
    own = privacy(card="reject", email="report")
    repaired = talk("My card is 4111 1111 1111 1111, mail a@example.com", "Thanks.")
    own.protect(repaired)
    assert repaired.reasons == ("privacy_card",)
    payload = own.payload('[{"i":0,"r":"user","x":"My card is 4111 1111 1111 1111, mail a@example.com"}]')
    assert payload == '[{"i":0,"r":"user","x":"My card is [CARD_1], mail a@example.com"}]'


def test_a_payload_is_redacted_inside_nested_documents_too() -> None:
    calls = json.dumps([{"function": {"name": "f", "arguments": json.dumps({"email": "grace@example.com"})}}])
    content = json.dumps([{"i": 0, "r": "assistant", "c": calls}])
    changed = privacy().payload(content)
    assert changed is not None
    assert "grace" not in changed
    assert json.loads(json.loads(json.loads(changed)[0]["c"])[0]["function"]["arguments"]) == {"email": "[EMAIL_1]"}


@pytest.mark.parametrize("content", [None, "", "[]", '[{"x":"Where is order 4155552671?"}]'])
def test_a_payload_with_nothing_to_replace_stays(content: str | None) -> None:
    assert privacy().payload(content) is None


def test_a_payload_that_is_no_document_is_redacted_as_text() -> None:
    assert privacy().payload('{"x": "grace@example.com') == '{"x": "[EMAIL_1]'


def test_a_value_that_is_recognised_once_is_replaced_everywhere() -> None:
    repaired = talk("My phone number is 4155552671.", "Let me note: 4155552671, thanks.", "Yes 4155552671", "Done.")
    privacy().protect(repaired)
    assert contents(repaired) == [
        "My phone number is [PHONE_1].",
        "Let me note: [PHONE_1], thanks.",
        "Yes [PHONE_1]",
        "Done.",
    ]


def test_pseudonyms_that_came_with_the_data_keep_their_numbers() -> None:
    repaired = talk("I am [EMAIL_1] and now grace@example.com", "Thanks.")
    privacy().protect(repaired)
    assert contents(repaired)[0] == "I am [EMAIL_1] and now [EMAIL_2]"


def test_across_the_table_a_value_has_the_same_pseudonym_in_every_conversation() -> None:
    own = privacy(pseudonyms="table", key={"env": "PRIVACY_KEY"})
    one, other = talk("I am grace@example.com", "Hi."), talk("joan@example.com or GRACE@example.com", "Hi.")
    own.protect(one)
    own.protect(other)
    (name,) = re.findall(r"\[EMAIL_[0-9a-f]{16}\]", contents(one)[0] or "")
    found = re.findall(r"\[EMAIL_[0-9a-f]{16}\]", contents(other)[0] or "")
    assert len(set(found)) == 2
    assert found[1] == name


def test_another_key_gives_other_hashes_and_no_key_is_ever_shown() -> None:
    chosen = PrivacySettings.model_validate({"pseudonyms": "table", "key": {"env": "PRIVACY_KEY"}})
    plans = [plan_privacy(chosen, table="raw", environment={"PRIVACY_KEY": key * 8}) for key in ("one", "two")]
    assert plans[0].hasher.digest("email", "a") != plans[1].hasher.digest("email", "a")
    assert "oneone" not in repr(plans[0])
    checks = [key_check(chosen, environment={"PRIVACY_KEY": key * 8}) for key in ("one", "two")]
    assert checks[0] != checks[1]
    assert key_check(PrivacySettings()) is None


def test_without_a_key_the_hash_depends_on_the_table() -> None:
    plans = [plan_privacy(PrivacySettings(), table=table) for table in ("a", "b")]
    assert plans[0].hasher.digest("email", "x") != plans[1].hasher.digest("email", "x")


@pytest.mark.parametrize(
    ("choices", "environment", "message"),
    [
        ({"phone_regions": ["XX"]}, {}, "phone_regions names XX"),
        ({"key": {"env": "PRIVACY_KEY"}}, {}, "PRIVACY_KEY"),
        ({"key": {"env": "PRIVACY_KEY"}}, {"PRIVACY_KEY": "hunter2"}, "has 7 bytes"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    choices: dict[str, Any], environment: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        plan_privacy(PrivacySettings.model_validate(choices), table="raw", environment=environment)
    assert "hunter2" not in str(raised.value)


def test_pseudonyms_across_the_table_need_a_key() -> None:
    with pytest.raises(ValueError, match="need key"):
        PrivacySettings(pseudonyms="table")


def test_when_every_kind_is_ignored_nothing_is_done() -> None:
    ignored = dict.fromkeys(
        PrivacySettings.model_fields.keys() - {"phone_regions", "allow", "pseudonyms", "key"}, "ignore"
    )
    repaired = talk("I am grace@example.com", "Hi.")
    privacy(**ignored).protect(repaired)
    assert contents(repaired)[0] == "I am grace@example.com"
    assert not repaired.decisions
    assert privacy(**ignored).payload('["grace@example.com"]') is None


PLAIN = st.text(alphabet=st.characters(codec="utf-8", categories=("L", "P", "Zs")), max_size=20)
VALUES = st.sampled_from(
    ["grace@example.com", "joan.p@example.co.uk", "+49 171 2345678", "4111 1111 1111 1111", "DE89370400440532013000"]
)
PIECES = st.lists(st.tuples(PLAIN, VALUES), min_size=1, max_size=4)


@settings(max_examples=80, deadline=None)
@given(turns=st.lists(PIECES, min_size=2, max_size=4))
def test_equal_values_have_equal_names_others_differ_and_the_rest_stays(turns: list[list[tuple[str, str]]]) -> None:
    texts = [" ".join(f"{plain} ; {value} ;" for plain, value in pieces) for pieces in turns]
    if len(texts) % 2:
        texts.append("Thanks.")
        turns = [*turns, []]
    repaired = talk(*texts)
    privacy().protect(repaired)
    names: dict[str, str] = {}
    for pieces, content in zip(turns, contents(repaired), strict=True):
        assert content is not None
        pattern = " ".join(f"{re.escape(plain)} ; (\\[[A-Z]+_[0-9]+\\]) ;" for plain, _ in pieces) or re.escape(content)
        match = re.fullmatch(pattern, content)
        assert match, (content, pattern)
        for (_, value), name in zip(pieces, match.groups(), strict=True):
            assert names.setdefault(value, name) == name
    assert len(set(names.values())) == len(names)
    before = contents(repaired)
    made = len(repaired.decisions)
    privacy().protect(repaired)
    assert contents(repaired) == before
    assert len(repaired.decisions) == made


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | PLAIN | VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(arguments=st.dictionaries(PLAIN, JSON, max_size=4), indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_arguments_stay_valid_json_and_only_values_change(
    arguments: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(arguments, indent=indent, ensure_ascii=ascii_only)
    repaired = talk("Hello.", "Done.", arguments=text, result="ok")
    privacy().protect(repaired)
    changed = arguments_of(repaired)
    assert shape(json.loads(changed)) == shape(arguments)
    if not any(value in text for value in ("@", "+49", "4111", "DE89")) and not re.search(r"\d{7}", text):
        assert changed == text


def shape(value: Any) -> Any:
    """Give the value with what redaction may replace (texts, long numbers) taken out."""
    if isinstance(value, dict):
        return [shape(item) for item in value.values()]
    if isinstance(value, list):
        return [shape(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    return len(str(value)) if isinstance(value, (int, float)) and len(str(value)) < 7 else "..."


@given(st.lists(st.sampled_from([*"b9@=: /._-", "a" * 9, "/" * 10, "://", "\u0663", "\u6771", "\uff11"]), max_size=6))
def test_the_quick_look_says_what_the_pattern_says(parts: list[str]) -> None:
    """`may_hold_any` reads classes of bytes where the text is ASCII; the pattern is what it stands for."""
    text, pattern = "".join(parts), r"[\d@=]|://|[A-Za-z0-9_+/-]{20}"
    assert may_hold_any(text) == (re.search(pattern, text) is not None)


def test_a_payload_keeps_the_numbers_of_its_turns() -> None:
    """A time in microseconds that passes for a card number stays; the same digits in the text do not."""
    turns = '[{"i":0,"t":4111111111111111,"k":"4111111111111111","r":"user","x":"My card is 4111 1111 1111 1111"}]'
    changed = privacy().payload(turns, plain=OWN_KEYS)
    assert changed is not None
    assert changed.startswith('[{"i":0,"t":4111111111111111,"k":"4111111111111111","r":"user","x":"My card is [')
