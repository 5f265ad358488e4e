"""Write shards of many examples with Spark and stream them as a training process does: memory, and examples a second.

    python benchmarks/hf_loading.py --examples 1000000 --folder /tmp/shards

Memory is that of the streaming process alone (a process of its own, without Spark): at the start, at each tenth, at the
end. `encoded` is the rate with chat template applied and labels made, on the first 20,000, by a tokenizer made here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ENCODED = 20_000
WORDS = "order parcel lamp desk where when how is my the a day late soon here please thanks refund return"


def write(folder: Path, examples: int) -> dict[str, Any]:
    """Write chats of six messages, made by Spark, as shards of 50,000; returns seconds and bytes."""
    from pyspark.sql import functions as F

    from finelake.config.huggingface import Shards
    from finelake.config.settings import SessionSettings
    from finelake.huggingface.shards import write_shards
    from finelake.session import spark_session

    spark = spark_session(SessionSettings(cores=2, memory="4g"), app_name="hf-loading")
    words = F.array(*(F.lit(word) for word in WORDS.split()))
    turns = [
        F.concat(
            F.lit(f'{{"role":"{role}","content":"'),
            F.concat_ws(
                " ",
                *(
                    F.element_at(words, (F.abs(F.hash("id", F.lit(100 * n + m))) % 18 + 1).cast("int"))
                    for m in range(24)
                ),
            ),
            F.lit('"}'),
        )
        for n, role in enumerate(("user", "assistant") * 3)
    ]
    frame = spark.range(examples).select(
        F.lit("train").alias("split"),
        F.sha2(F.col("id").cast("string"), 256).alias("sort_key"),
        F.concat(F.lit("c"), "id").alias("conversation_id"),
        F.lit(0).alias("window"),
        F.concat(F.lit("g"), "id").alias("group_key"),
        F.concat(F.lit('{"messages":['), F.concat_ws(",", *turns), F.lit("]}")).alias("line"),
        F.lit(160).cast("bigint").alias("tokens"),
        F.lit(72).cast("bigint").alias("trained_tokens"),
    )
    began = time.monotonic()
    manifest = write_shards(frame, config=Shards(folder=str(folder)), run_id="benchmark")
    taken = time.monotonic() - began
    spark.stop()
    found = manifest["splits"]["train"]
    return {"seconds": round(taken, 1), "bytes": found["bytes"], "shards": len(found["shards"]), "rows": found["rows"]}


def read(folder: Path) -> dict[str, Any]:
    """Stream an epoch; returns resident MB at tenths of it, examples a second, and the rate with encoding."""
    from finelake.huggingface.order import Order
    from finelake.huggingface.rows import open_rows
    from finelake.huggingface.stream import Share, Stream

    rows = open_rows(folder, split="train")
    order = Order(rows.groups, seed=1, shuffle_rows=10_000)
    own, memory = psutil.Process(), []

    def measure(make: Callable[[Any], Any], most: int, *, each: int) -> float:
        began, seen = time.monotonic(), 0
        for _ in Stream(rows, order, share=Share(), make=make, epochs=1):
            if seen % each == 0:
                memory.append(round(own.memory_info().rss / 1e6))
            seen += 1
            if seen == most:
                break
        return seen / (time.monotonic() - began)

    rate = measure(lambda line: line, order.rows, each=order.rows // 10)
    streamed = [*memory, round(own.memory_info().rss / 1e6)]
    encoded = measure(_encoder(), min(ENCODED, order.rows), each=order.rows)
    return {
        "examples": order.rows,
        "megabytes": streamed,
        "per_second": round(rate),
        "encoded_per_second": round(encoded),
    }


def _encoder() -> Callable[[Any], Any]:
    from finelake.huggingface.fitting import Fitting
    from finelake.huggingface.template import ChatTemplate
    from finelake.huggingface.tiny import tiny_tokenizer

    template = ChatTemplate(tiny_tokenizer([WORDS] * 50, vocabulary=400))
    return Fitting(template=template, max_length=4096, too_long="cut", method="sft")


def main() -> None:
    """Run the parts asked for; the reading is done by a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--examples", type=int, default=1_000_000)
    parser.add_argument("--part", choices=("both", "read"), default="both")
    given = parser.parse_args()
    if given.part == "read":
        sys.stdout.write(json.dumps(read(given.folder)) + "\n")
        return
    sys.stdout.write(json.dumps({"write": write(given.folder, given.examples)}) + "\n")
    sys.stdout.flush()
    subprocess.run([sys.executable, __file__, "--folder", str(given.folder), "--part", "read"], check=True)


if __name__ == "__main__":
    main()
