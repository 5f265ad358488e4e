"""The purse: no question goes out that the budget could not pay, whatever its answer's length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from finelake.config.evaluation import Budget, Evaluation
from finelake.config.models import ModelInfo
from finelake.evaluation.asking import Answer, Question, Role

Estimate = Callable[[Mapping[str, Any]], tuple[int, int]]
"""Gives the tokens of a request's prompt and the most tokens of its answer."""

_MILLION = 1_000_000


def estimator(model: ModelInfo, evaluation: Evaluation) -> Estimate:
    """Count a request's prompt as the model's tokenizer does; its answer has at most the length it asks for.

    The judge's prompts are counted with the same tokenizer. Raises ConfigError when the model has none.
    """
    from finelake.tokens.counter import counter_for

    counter = counter_for(*model.counting())

    def estimate(payload: Mapping[str, Any]) -> tuple[int, int]:
        (found,) = counter.count([payload])
        return found.total, int(payload[evaluation.length_parameter])

    return estimate


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens billed and money spent (None without prices); `unasked` questions did not fit into the budget."""

    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    currency: str
    unasked: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class Purse:
    """Counts what is spent and what open questions may still cost. Not safe for threads: one thread holds it."""

    def __init__(self, budget: Budget, *, estimate: Estimate | None = None) -> None:
        """Open a purse; a budget with a limit needs `estimate`."""
        self._budget = budget
        self._estimate = estimate
        self._open: dict[str, tuple[int, float]] = {}
        self._settled: set[str] = set()
        self._prompt = self._completion = 0
        self._cost = 0.0
        self._unasked: set[str] = set()

    def start(self, answers: Iterable[Answer]) -> None:
        """Take in what earlier starts of the run have spent."""
        for answer in answers:
            self.settle(answer)

    def admits(self, question: Question) -> bool:
        """Tell whether a question fits beside what is spent and what is open."""
        tokens, cost = self._most(question)
        open_tokens = sum(entry[0] for entry in self._open.values())
        open_cost = sum(entry[1] for entry in self._open.values())
        budget = self._budget
        all_tokens = self._prompt + self._completion + open_tokens + tokens
        fits = budget.max_tokens is None or all_tokens <= budget.max_tokens
        return fits and (budget.max_cost is None or self._cost + open_cost + cost <= budget.max_cost)

    def reserve(self, question: Question) -> None:
        """Set aside what a question may cost until its answer is settled."""
        self._open[question.key] = self._most(question)

    def settle(self, answer: Answer) -> None:
        """Count what an answer did cost, once."""
        self._open.pop(answer.key, None)
        if answer.key in self._settled:
            return
        self._settled.add(answer.key)
        self._prompt += answer.prompt_tokens
        self._completion += answer.completion_tokens
        self._cost += self._price(answer.role, answer.prompt_tokens, answer.completion_tokens)

    def refuse(self, keys: Iterable[str]) -> None:
        """Note questions that were not asked."""
        self._unasked.update(keys)

    @property
    def spent(self) -> Spent:
        cost = self._cost if self._budget.prices else None
        return Spent(self._prompt, self._completion, cost, self._budget.currency, len(self._unasked))

    def _most(self, question: Question) -> tuple[int, float]:
        if self._estimate is None or (self._budget.max_tokens is None and self._budget.max_cost is None):
            return 0, 0.0
        prompt, completion = self._estimate(question.payload)
        return prompt + completion, self._price(question.role, prompt, completion)

    def _price(self, role: Role, prompt: int, completion: int) -> float:
        prices = self._budget.prices.get(role)
        return 0.0 if prices is None else (prompt * prices.prompt + completion * prices.completion) / _MILLION
