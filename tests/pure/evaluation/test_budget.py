"""Tests of finelake.evaluation.budget: nothing is reserved that could not be paid, and nothing is counted twice."""

from __future__ import annotations

import pytest

from finelake.config.evaluation import Budget, Evaluation, Judge, TokenPrices
from finelake.evaluation.asking import Answer, Question, Role
from finelake.evaluation.budget import Purse
from finelake.evaluation.replies import Reply

PRICES = {"base": TokenPrices(prompt=1, completion=10), "tuned": TokenPrices(prompt=2, completion=20)}


def question(key: str, role: Role = "base") -> Question:
    return Question(key, role, {"model": role})


def answer(key: str, *, prompt: int, completion: int, role: Role = "base") -> Answer:
    return Answer(key, role, "m", Reply("x"), "stop", None, True, prompt, completion, 0.1, None)


def purse(**limits: float) -> Purse:
    return Purse(Budget(prices=PRICES, **limits), estimate=lambda _: (100, 50))


def test_open_questions_count_with_their_longest_answers() -> None:
    held = purse(max_tokens=300)
    held.reserve(question("a"))
    assert held.admits(question("b"))
    held.reserve(question("b"))
    assert not held.admits(question("c"))
    held.settle(answer("a", prompt=100, completion=1))
    held.settle(answer("b", prompt=40, completion=9))
    assert held.admits(question("c"))
    held.reserve(question("c"))
    assert not held.admits(question("d"))


def test_money_is_priced_by_role() -> None:
    held = purse(max_cost=0.0011)  # a base question may cost 100 * 1 + 50 * 10 = 600, a tuned one 1,200 millionths
    assert held.admits(question("a"))
    assert not held.admits(question("b", "tuned"))
    held.settle(answer("a", prompt=100, completion=50))
    assert not held.admits(question("c"))
    assert held.spent.cost == pytest.approx(0.0006)


def test_an_answer_is_counted_once() -> None:
    held = purse()
    held.start([answer("a", prompt=100, completion=50)])
    held.settle(answer("a", prompt=100, completion=50))
    held.refuse(["x", "y"])
    held.refuse(["x"])
    assert (held.spent.tokens, held.spent.unasked) == (150, 2)


def test_without_limits_everything_is_admitted_and_counted() -> None:
    held = Purse(Budget())
    held.reserve(question("a"))
    assert held.admits(question("b"))
    assert held.spent.cost is None


@pytest.mark.parametrize(
    ("budget", "judge"), [({"max_cost": 1.0}, None), ({"max_cost": 1.0, "prices": PRICES}, Judge(deployment="j"))]
)
def test_money_without_prices_is_refused(budget: dict[str, object], judge: Judge | None) -> None:
    with pytest.raises(ValueError, match="prices"):
        Evaluation(budget=Budget(**budget), judge=judge)
