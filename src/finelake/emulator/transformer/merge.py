"""Merge an adapter into its model: `python -m finelake.emulator.transformer.merge SOURCE ADAPTER FOLDER`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def merge(source: str, adapter: str, folder: Path) -> None:
    """Write the merged model and its tokenizer into a new folder, which is whole or absent."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    model = AutoModelForCausalLM.from_pretrained(source, dtype="auto")
    PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(part)
    AutoTokenizer.from_pretrained(adapter).save_pretrained(part)
    part.rename(folder)


if __name__ == "__main__":
    merge(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
