"""The planted defects: each is where the truth says, found again from the raw rows alone, and nowhere else."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from finelake.config.replies import Replies
from finelake.tokens.engine import select_engine
from pure.sample.conftest import Loaded
from pure.sample.detect import defects_of, normal_form

RARE = {"too_many_turns", "turn_too_long", "reply_turn_count"}
NEVER_LEARNT = (
    "as_an_ai",
    "markup_only",
    "prompt_markup",
    "prompt_leak",
    "stack_trace",
    "tool_arguments",
    "tool_undefined",
)
CODES = {
    "conversation_id_missing": "quarantined",
    "row_not_json": "quarantined",
    "turn_duplicate": "merged",
    "turn_order_ambiguous": "quarantined",
    "turn_index_missing": "quarantined",
    "turn_gap": "quarantined",
    "turn_clock_skew": "noted",
    "too_many_turns": "quarantined",
    "text_invalid_unicode": "quarantined",
    "text_control_characters": "quarantined",
    "text_special_token": "quarantined",
    "author_unknown": "quarantined",
    "turn_empty": "trimmed",
    "turn_merged": "merged",
    "assistant_leading": "trimmed",
    "user_trailing": "trimmed",
    "tool_trailing": "trimmed",
    "system_prompt_repeated": "merged",
    "system_prompt_conflict": "quarantined",
    "tool_result_without_call": "quarantined",
    "tool_call_without_result": "quarantined",
    "tool_arguments_invalid": "quarantined",
    "user_missing": "quarantined",
    "assistant_missing": "quarantined",
    "turn_too_long": "quarantined",
    "duplicate_exact": "merged",
    **{f"reply_{rule}": "noted" for rule in Replies.model_fields},
    **{f"reply_{rule}": "untrained" for rule in NEVER_LEARNT},
    "replies_untrained": "quarantined",
}


def structural(code: str) -> bool:
    """Tell what `detect` looks for; replies are judged by the job alone (tests/spark/test_planted_truth.py)."""
    return code != "duplicate_exact" and not code.startswith("repl")


def test_every_code_often_enough(sample: Loaded) -> None:
    counts = Counter(row["defect"] for row in sample.truth)
    assert set(counts) == set(CODES)
    assert counts == sample.files.defects
    for code, count in counts.items():
        assert count >= (2 if code in RARE else 4), code


def test_outcomes(sample: Loaded) -> None:
    assert {row["defect"]: row["outcome"] for row in sample.truth} == CODES


def test_truth_is_what_the_rows_show(sample: Loaded) -> None:
    for name, rows in sample.conversations.items():
        named = {row["defect"] for row in sample.truth if row["conversation_id"] == name}
        assert (name, defects_of(rows)) == (name, {code for code in named if structural(code)})


def test_one_defect_a_conversation_but_for_what_goes_together(sample: Loaded) -> None:
    codes: dict[str, list[str]] = {}
    for row in sample.truth:
        if row["conversation_id"] is not None:
            codes.setdefault(row["conversation_id"], []).append(row["defect"])
    assert {tuple(found) for found in codes.values() if len(found) > 1} == {
        ("tool_trailing", "user_trailing"),
        ("reply_prompt_markup", "replies_untrained"),
    }


def test_truth_names_existing_rows(sample: Loaded) -> None:
    for truth in sample.truth:
        assert len(truth["lines"]) == len(set(truth["lines"])) == truth["rows"]
        if truth["defect"] == "row_not_json":
            continue
        rows = [sample.rows[line] for line in truth["lines"]]
        assert {row.get("conversation_id") for row in rows} == {truth["conversation_id"]}
        assert Counter(row["turn_index"] for row in rows) == Counter(truth["turn_indexes"])
        if truth["outcome"] == "quarantined" and truth["conversation_id"]:
            assert len(rows) == len(sample.conversations[truth["conversation_id"]])


def test_broken_lines_are_the_ones_named(sample: Loaded) -> None:
    named = {line for row in sample.truth if row["defect"] == "row_not_json" for line in row["lines"]}
    assert named == set(range(1, len(sample.lines) + 1)) - set(sample.rows)


def test_rows_without_conversation_are_the_ones_named(sample: Loaded) -> None:
    named = {line for row in sample.truth if row["defect"] == "conversation_id_missing" for line in row["lines"]}
    assert named == {line for line, row in sample.rows.items() if row.get("conversation_id") is None}


def test_duplicates_are_the_only_ones(sample: Loaded) -> None:
    unreadable = {"turn_index_missing", "turn_order_ambiguous"}
    skipped = {row["conversation_id"] for row in sample.truth if row["defect"] in unreadable}
    forms: dict[str, list[str]] = {}
    for name, rows in sorted(sample.conversations.items()):
        if name not in skipped:
            forms.setdefault(normal_form(rows), []).append(name)
    pairs = {tuple(names) for names in forms.values() if len(names) > 1}
    named = {(row["kept_id"], row["conversation_id"]) for row in sample.truth if row["defect"] == "duplicate_exact"}
    assert pairs == named


def test_copies_differ_in_white_space_or_case_and_come_later(sample: Loaded) -> None:
    for truth in sample.truth:
        if truth["defect"] == "duplicate_exact":
            kept, copy = (sample.conversations[truth[key]] for key in ("kept_id", "conversation_id"))
            assert {row["text"] for row in kept} != {row["text"] for row in copy}
            assert min(row["sent_at"] for row in copy) > max(row["sent_at"] for row in kept)


def test_lone_surrogates_are_escapes_in_valid_utf8(sample: Loaded) -> None:
    for truth in sample.truth:
        if truth["defect"] == "text_invalid_unicode":
            assert any("\\ud" in sample.lines[line - 1] for line in truth["lines"])


@pytest.mark.parametrize("code", ["turn_clock_skew", "turn_empty", "assistant_leading", "system_prompt_repeated"])
def test_turns_named_are_the_ones_that_offend(sample: Loaded, code: str) -> None:
    """Without the turns that the truth names, the conversation has no defect but the gap that they leave."""
    for truth in sample.truth:
        if truth["defect"] == code:
            rows = sample.conversations[truth["conversation_id"]]
            rest = [row for row in rows if row["turn_index"] not in truth["turn_indexes"]]
            kept = [
                row | {"turn_index": index} for index, row in enumerate(sorted(rest, key=lambda r: r["turn_index"]))
            ]
            assert code not in defects_of(kept)


def test_long_examples_are_beyond_the_limit_and_no_other_is_near(sample: Loaded) -> None:
    limit = 65_536
    named = {row["conversation_id"] for row in sample.truth if row["defect"] == "turn_too_long"}
    texts = {name: "\n".join(row["text"] for row in rows) for name, rows in sample.conversations.items()}
    counts = dict(zip(texts, select_engine("o200k_base").count_batch(list(texts.values())), strict=True))
    assert min(counts[name] for name in named) > 1.2 * limit
    assert max(count for name, count in counts.items() if name not in named) < limit / 4


def test_truth_lines_are_plain_json(sample: Loaded) -> None:
    for line in sample.files.truth.read_text(encoding="utf-8").splitlines():
        assert isinstance(json.loads(line), dict)
