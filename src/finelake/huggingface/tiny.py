"""A small Llama made from a config, to rehearse the whole road on a laptop, with nothing downloaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BEGIN, END = "<|im_start|>", "<|im_end|>"

# ChatML with tools as Qwen writes them; `{% generation %}` marks what the assistant says.
TEMPLATE = """\
{%- if tools %}
{{- '<|im_start|>system\\n' }}
{%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}
{{- '# Tools\\n' }}
{%- for tool in tools %}{{- tool | tojson + '\\n' }}{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}
{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'system' and loop.first %}
{%- elif message.role == 'assistant' %}
{{- '<|im_start|>assistant\\n' }}
{%- generation %}
{{- message.content }}
{%- for call in message.tool_calls or [] %}
{%- set called = {'name': call.function.name, 'arguments': call.function.arguments} %}
{{- '<tool_call>\\n' + called | tojson + '\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>' }}
{%- endgeneration %}
{{- '\\n' }}
{%- elif message.role == 'tool' %}
{{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
{%- else %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the model is; a head of attention has 16 dimensions."""

    vocabulary: int = 2_000
    hidden: int = 64
    layers: int = 2
    positions: int = 2_048


def make_tiny(folder: Path, texts: Iterable[str], *, size: Size | None = None, seed: int = 0) -> Path:
    """Write a model with random weights and a byte-level BPE tokenizer fitted to `texts`; returns the folder.

    The same texts, size and seed give the same files.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    size = size or Size()
    tokenizer = tiny_tokenizer(texts, vocabulary=size.vocabulary)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=size.hidden,
            intermediate_size=size.hidden * 4,
            num_hidden_layers=size.layers,
            num_attention_heads=max(1, size.hidden // 16),
            num_key_value_heads=max(1, size.hidden // 16),
            max_position_embeddings=size.positions,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            tie_word_embeddings=True,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_tokenizer(texts: Iterable[str], *, vocabulary: int, template: str = TEMPLATE) -> Any:
    """Fit a byte-level BPE tokenizer with a chat template to texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", BEGIN, END]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=special[0], eos_token=END, pad_token=special[0]
    )
    wrapped.chat_template = template
    return wrapped
