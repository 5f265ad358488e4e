"""Preference and reinforcement lines: each ends in one outcome, equal prompts in one split; graders are looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.http.training.setting import MODEL, settings_for

from finelake.chat import read_line
from finelake.config.models import load_catalogue
from finelake.config.settings import Settings
from finelake.errors import ConfigError, InputError
from finelake.prepare import Prepared, RawLine, lines_of_files, prepare
from finelake.training.data import read_training_data
from finelake.training.graders import grader_problems
from support.method_lines import pair, pairs

CATALOGUE = load_catalogue()


def prepared_from(folder: Path, lines: list[str], *, method: str = "dpo", model: str = MODEL) -> Prepared:
    """Prepare lines of a file."""
    source = folder / "lines.jsonl"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = settings_for(folder, url="https://shop.example", training={"method": method}, splits={"test": 0.2})
    settings = settings.model_copy(update={"model": model})
    return prepare(lines_of_files([source]), settings=settings, model=CATALOGUE.find(model))


def test_every_line_has_one_outcome_and_equal_prompts_one_split(tmp_path: Path) -> None:
    again = [json.dumps(pair(at, preferred_output=[{"role": "assistant", "content": "Soon."}])) for at in range(200)]
    spoilt = ["not json", json.dumps(pair(1, input=None)), json.dumps(pair(2)).replace("order", "<|im_end|>", 1), ""]
    done = prepared_from(tmp_path, [*pairs(200), *again, *pairs(5), *spoilt])
    assert (done.rows_in, done.kept, done.merged, done.quarantined) == (408, 400, 5, 3)
    assert done.reasons == {"line_not_json": 1, "input_missing": 1, "text_special_token": 1}
    published = tmp_path / "published"
    aside = [json.loads(line) for line in (published / "quarantine.jsonl").read_text().splitlines()]
    assert (aside[0]["line"], aside[0]["reason"]) == ("lines.jsonl:406", "line_not_json")
    prompts = {}
    for split in ("train", "validation"):
        lines = [json.loads(line) for line in (published / f"{split}.jsonl").read_text().splitlines()]
        prompts[split] = {line["input"]["messages"][0]["content"] for line in lines}
        assert len(lines) == 2 * len(prompts[split])
    tests = (published / "test.jsonl").read_text().splitlines()
    prompts["test"] = {json.loads(line)["messages"][0]["content"] for line in tests}
    assert all(read_line(line)[1] == [] for line in tests)
    assert sum(len(found) for found in prompts.values()) == len(set().union(*prompts.values())) == 200
    assert min(len(found) for found in prompts.values()) >= 10


def test_what_is_published_is_read_by_training_and_is_the_same_again(tmp_path: Path) -> None:
    first = prepared_from(tmp_path, pairs(60)).files
    data = read_training_data(tmp_path / "published")
    assert (data.method, data.model, data.train.examples) == ("dpo", MODEL, first["train"].examples)
    assert prepared_from(tmp_path, pairs(60)).files == first


def test_supervised_lines_and_empty_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`finelake curate` makes its files"):
        prepared_from(tmp_path, pairs(3), method="supervised")
    settings: Settings = settings_for(tmp_path, url="https://shop.example", training={"method": "dpo"})
    with pytest.raises(InputError, match="holds no lines"):
        prepare([RawLine("a:1", b"\xef\xbb\xbf\n")], settings=settings, model=CATALOGUE.find(MODEL))


def test_reinforcement_lines_end_with_the_user(tmp_path: Path) -> None:
    good: list[dict[str, Any]] = [
        {
            "messages": [{"role": "developer", "content": "Be exact."}, {"role": "user", "content": f"{n}+1?"}],
            "sum": n + 1,
        }
        for n in range(50)
    ]
    wrong = [{"messages": [*good[0]["messages"], {"role": "assistant", "content": "1"}]}, {"sum": 1}]
    lines = [json.dumps(line) for line in good + wrong]
    done = prepared_from(tmp_path, lines, method="reinforcement", model="o4-mini")
    assert done.kept == 50
    assert done.reasons == {"last_not_user": 1, "messages_missing": 1}


CHECK = {
    "type": "string_check",
    "name": "c",
    "operation": "eq",
    "input": "{{sample.output_text}}",
    "reference": "{{item.sum}}",
}
SIMILAR = {**CHECK, "type": "text_similarity", "evaluation_metric": "rouge_l"}
PYTHON = {"type": "python", "name": "p", "source": "def grade(sample, item):\n    return 1.0"}
JUDGE = {
    "type": "score_model",
    "name": "j",
    "model": "o3-mini-2025-01-31",
    "input": [{"role": "user", "content": "{{item.sum}}"}],
}
MULTI = {
    "type": "multi",
    "name": "m",
    "graders": {"a": CHECK, "b": PYTHON},
    "calculate_output": "0.5 * a + max(b, 0)^2",
}


@pytest.mark.parametrize("grader", [CHECK, SIMILAR, PYTHON, JUDGE, MULTI])
def test_good_graders_are_taken(grader: dict[str, Any]) -> None:
    assert list(grader_problems(grader, keys={"sum"})) == []


@pytest.mark.parametrize(
    ("grader", "code"),
    [
        (None, "grader_not_object"),
        ({**CHECK, "type": "guess"}, "grader_type_unknown"),
        ({**CHECK, "name": ""}, "grader_name_missing"),
        ({**CHECK, "operation": "is"}, "grader_operation_unknown"),
        ({**CHECK, "reference": "{{item.total}}"}, "grader_template_unknown"),
        ({**CHECK, "reference": "{{answer}}"}, "grader_template_unknown"),
        ({**CHECK, "input": None}, "grader_field_missing"),
        ({**SIMILAR, "evaluation_metric": "chrf"}, "grader_metric_unknown"),
        ({**PYTHON, "source": "def grade(item): return 1"}, "grader_function_missing"),
        ({**PYTHON, "source": "def grade("}, "grader_source_not_python"),
        ({**PYTHON, "source": "#" * 300_000}, "grader_source_too_large"),
        ({**JUDGE, "model": "gpt-4.1"}, "grader_model_unknown"),
        ({**MULTI, "calculate_output": "a + c"}, "grader_formula_invalid"),
        ({**MULTI, "calculate_output": "open(a)"}, "grader_formula_invalid"),
        ({**MULTI, "graders": {"a": MULTI}}, "grader_type_unknown"),
    ],
)
def test_a_wrong_grader_has_a_code(grader: object, code: str) -> None:
    assert code in {problem.code for problem in grader_problems(grader, keys={"sum"})}
