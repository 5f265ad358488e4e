"""TRL's trainers over a stream, and their arguments from a job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from finelake.huggingface.job import Job
from finelake.huggingface.models import adapter_config, mixed_precision
from finelake.huggingface.stream import Stream
from finelake.huggingface.template import IGNORED
from finelake.huggingface.watch import Watch


class _Streamed:
    """Reads a stream in place of the trainer's own data set, which only shows the trainer what an example holds."""

    stream: Stream
    args: Any
    data_collator: Any

    def get_train_dataloader(self) -> Any:
        """Give a loader over the stream; the stream itself knows this process's part."""
        return DataLoader(
            self.stream,
            batch_size=self.args.per_device_train_batch_size,
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory,
            # A loader draws a number when it starts: from its own source, or dropout would go on differently on resume.
            generator=torch.Generator().manual_seed(self.args.seed),
        )

    def evaluate(self, *given: Any, **named: Any) -> Any:
        """Measure without touching the random numbers of the training, whatever the steps at which it is done."""
        trainer: Any = super()
        with torch.random.fork_rng():
            return trainer.evaluate(*given, **named)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write none: the evaluation writes the model's card."""


class StreamedSFT(_Streamed, SFTTrainer):
    """Supervised fine-tuning over a stream of encoded examples.

    A measured loss is the mean over all trained tokens: the mean of batches, which the trainer gives, would depend on
    how many processes share the examples.
    """

    def evaluation_loop(self, *given: Any, **named: Any) -> Any:
        """Measure, and put the loss of all tokens in the place of the batches' mean."""
        self._measured = torch.zeros(2, dtype=torch.float64, device=self.args.device)
        output = super().evaluation_loop(*given, **named)
        loss, tokens = self.accelerator.reduce(self._measured).tolist()
        if tokens:
            output.metrics["eval_loss"] = loss / tokens
        return output

    def prediction_step(self, model: Any, inputs: Any, *given: Any, **named: Any) -> Any:
        """Add up a batch's loss and tokens."""
        tokens = (inputs["labels"][:, 1:] != IGNORED).sum().to(self._measured)
        found = super().prediction_step(model, inputs, *given, **named)
        self._measured += torch.stack((found[0].to(self._measured) * tokens, tokens))
        return found


class StreamedDPO(_Streamed, DPOTrainer):
    """Direct preference optimization over a stream of encoded pairs."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        """Leave encoded pairs as they are."""
        return dataset


class PairCollator(DataCollatorForPreference):
    """Pads pairs; only the assistant's tokens of an answer count, not the results of tools within it."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Collate pairs of prompt_ids, chosen_ids, rejected_ids and the answers' labels."""
        batch: dict[str, Any] = super().torch_call(examples)
        mask = torch.zeros_like(batch["completion_mask"])
        for side, part in enumerate(("chosen", "rejected")):
            for n, example in enumerate(examples):
                start, labels = len(example["prompt_ids"]), example[f"{part}_labels"]
                counted = torch.tensor([label != IGNORED for label in labels], dtype=mask.dtype)
                mask[side * len(examples) + n, start : start + len(labels)] = counted
        batch["completion_mask"] = mask
        return batch


def build_trainer(
    job: Job,
    *,
    model: Any,
    tokenizer: Any,
    stream: Stream,
    validation: Sequence[dict[str, Any]],
    total: int,
    work: Path,
    watch: Watch,
) -> Any:
    """Build the trainer of a job; `validation` are encoded examples, none for no measurements."""
    supervised = job.method == "sft"
    shown = Dataset.from_list([next(iter(stream))])
    stream.at(examples=0)
    trainer: Any = (StreamedSFT if supervised else StreamedDPO)(
        model=model,
        args=_arguments(job, total=total, work=work),
        train_dataset=shown,
        eval_dataset=Dataset.from_list(list(validation)) if validation else None,
        data_collator=None if supervised else PairCollator(pad_token_id=tokenizer.pad_token_id),
        processing_class=tokenizer,
        peft_config=adapter_config(job),
        callbacks=[watch],
    )
    trainer.stream = stream
    return trainer


def _arguments(job: Job, *, total: int, work: Path) -> Any:
    wanted, on_gpu = job.hyperparameters, torch.cuda.is_available()
    shared: dict[str, Any] = {
        "output_dir": str(work),
        "max_steps": total,
        "per_device_train_batch_size": job.micro_batch,
        "per_device_eval_batch_size": job.micro_batch,
        "gradient_accumulation_steps": job.accumulation,
        "learning_rate": job.learning_rate,
        "lr_scheduler_type": wanted.schedule,
        "warmup_steps": int(wanted.warmup * total),
        "weight_decay": wanted.weight_decay,
        "adam_beta2": wanted.adam_beta2,
        "max_grad_norm": wanted.max_grad_norm,
        "seed": wanted.seed,
        "bf16": mixed_precision(job),
        "use_cpu": not on_gpu,
        "dataloader_pin_memory": on_gpu,
        "dataloader_num_workers": wanted.loader_workers,
        "gradient_checkpointing": wanted.gradient_checkpointing,
        "max_length": None,
        "remove_unused_columns": False,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "ignore_data_skip": True,
    }
    if job.processes > 1:
        shared |= {"ddp_backend": "nccl" if on_gpu else "gloo", "ddp_find_unused_parameters": False}
    return SFTConfig(**shared) if job.method == "sft" else DPOConfig(beta=wanted.beta, **shared)
