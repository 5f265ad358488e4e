"""Loss curves of a real training: a small network learns to predict letters by gradient descent, in about a second.

The text is that of the sample's phrase book. What is done to it (too large steps, hardly any step, few examples seen
often) gives the shapes that the rules are for; nothing in a curve is drawn by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from finelake.training.curves import Curves
from finelake.training.events import Measurement

CONTEXT, WIDTH, HIDDEN, HELD_OUT = 5, 8, 64, 600
EVERY = 10

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train: `rate` of the steps, `windows` of training text, how many `steps` of `batch` windows."""

    rate: float
    windows: int = 12_000
    steps: int = 500
    batch: int = 64


def curves_of(recipe: Recipe) -> Curves:
    """Train by a recipe and give what a service would tell: every tenth step, and validation with it."""
    windows, letters = _windows()
    held_out, training = windows[:HELD_OUT], windows[HELD_OUT : HELD_OUT + recipe.windows]
    chance = np.random.default_rng(7)
    network = _Network(letters, chance)
    measured = []
    with np.errstate(all="ignore"):
        for step in range(1, recipe.steps + 1):
            batch = training[chance.integers(len(training), size=recipe.batch)]
            loss = network.learn(batch, recipe.rate)
            if step == 1 or step % EVERY == 0:
                valid = network.loss(held_out[chance.integers(HELD_OUT, size=recipe.batch)])
                measured.append(Measurement(step=step, train_loss=loss, valid_loss=valid))
    return Curves.of(measured)


def _windows() -> tuple[Codes, int]:
    """Give the phrase book as windows of letters, shuffled, the letter to predict last, and how many letters it has."""
    text = resources.files("finelake.sample").joinpath("phrases", "en.toml").read_text(encoding="utf-8")
    letters = sorted(set(text))
    codes = np.array([letters.index(letter) for letter in text])
    windows = np.lib.stride_tricks.sliding_window_view(codes, CONTEXT + 1).copy()
    np.random.default_rng(5).shuffle(windows)
    return windows, len(letters)


class _Network:
    """Embedding, one hidden layer, softmax; plain gradient descent."""

    def __init__(self, letters: int, chance: np.random.Generator) -> None:
        self.embedding = chance.normal(scale=0.3, size=(letters, WIDTH))
        self.first = chance.normal(scale=(CONTEXT * WIDTH) ** -0.5, size=(CONTEXT * WIDTH, HIDDEN))
        self.second = chance.normal(scale=HIDDEN**-0.5, size=(HIDDEN, letters))

    def loss(self, windows: Codes) -> float:
        """Give the mean cross-entropy in nats a letter."""
        _, _, chances = self._forward(windows)
        return _cross_entropy(chances, windows[:, -1])

    def learn(self, windows: Codes, rate: float) -> float:
        """Do one step and give the loss before it."""
        inputs, hidden, chances = self._forward(windows)
        wanted = windows[:, -1]
        loss = _cross_entropy(chances, wanted)
        wrong = chances.copy()
        wrong[np.arange(len(wanted)), wanted] -= 1.0
        wrong /= len(wanted)
        back = (wrong @ self.second.T) * (1.0 - hidden**2)
        to_inputs = (back @ self.first.T).reshape(len(wanted), CONTEXT, WIDTH)
        self.second -= rate * hidden.T @ wrong
        self.first -= rate * inputs.T @ back
        np.add.at(self.embedding, windows[:, :-1], -rate * to_inputs)
        return loss

    def _forward(self, windows: Codes) -> tuple[Floats, Floats, Floats]:
        inputs = self.embedding[windows[:, :-1]].reshape(len(windows), -1)
        hidden = np.tanh(inputs @ self.first)
        scores = hidden @ self.second
        scores -= scores.max(axis=1, keepdims=True)
        chances = np.exp(scores)
        return inputs, hidden, chances / chances.sum(axis=1, keepdims=True)


def _cross_entropy(chances: Floats, wanted: Codes) -> float:
    return float(-np.log(chances[np.arange(len(wanted)), wanted]).mean())
