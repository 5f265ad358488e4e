"""How many epochs and which batch size a service chooses by itself: OpenAI's cookbook, an estimate for Azure.

Source: openai/openai-cookbook, examples/Chat_finetuning_data_prep.ipynb. Azure's own default depends on the model and
is not published; its tutorial (10 lines, 10 epochs) fits the rule, its worked example for gpt-4.1 (2 epochs) does not.
The batch size is 0.2 % of the examples, at most 256: the text of Azure's portal.
"""

from __future__ import annotations

TARGET_EPOCHS, MAX_EPOCHS = 3, 25
LEAST_SEEN, MOST_SEEN = 100, 25_000
MAX_BATCH = 256


def auto_epochs(examples: int) -> int:
    """Choose the epochs for a number of examples: three, more for few examples and fewer for many."""
    if examples * TARGET_EPOCHS < LEAST_SEEN:
        return min(MAX_EPOCHS, max(1, LEAST_SEEN // max(1, examples)))
    if examples * TARGET_EPOCHS > MOST_SEEN:
        return max(1, MOST_SEEN // examples)
    return TARGET_EPOCHS


def auto_batch_size(examples: int) -> int:
    """Choose the batch size for a number of examples: 0.2 %, from 1 to 256."""
    return max(1, min(MAX_BATCH, int(examples * 0.002)))
