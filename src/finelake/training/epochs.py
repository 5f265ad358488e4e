"""How many epochs a service chooses by itself: the rule of OpenAI's cookbook, an estimate for Azure.

Source: openai/openai-cookbook, examples/Chat_finetuning_data_prep.ipynb. Azure's own default depends on the model and
is not published; its tutorial (10 lines, 10 epochs) fits the rule, its worked example for gpt-4.1 (2 epochs) does not.
"""

from __future__ import annotations

TARGET_EPOCHS, MAX_EPOCHS = 3, 25
LEAST_SEEN, MOST_SEEN = 100, 25_000


def auto_epochs(examples: int) -> int:
    """Choose the epochs for a number of examples: three, more for few examples and fewer for many."""
    if examples * TARGET_EPOCHS < LEAST_SEEN:
        return min(MAX_EPOCHS, max(1, LEAST_SEEN // max(1, examples)))
    if examples * TARGET_EPOCHS > MOST_SEEN:
        return max(1, MOST_SEEN // examples)
    return TARGET_EPOCHS
