"""Shards that training streams must be those of the published curation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from finelake.huggingface.job import JobError
from finelake.huggingface.rows import read_shard_manifest
from finelake.training.plan.finding import OWN_RULE, Finding
from finelake.training.plan.known import Known
from finelake.training.plan.registry import check


@check("data")
def shards(known: Known) -> Iterator[Finding]:
    """Compare the shards' run and counts with the published files'."""
    local = known.settings.service.huggingface
    if local is None or local.shards is None:
        return
    try:
        manifest = read_shard_manifest(Path(local.shards))
        found = {split: int(manifest["splits"][split]["rows"]) for split in ("train", "validation")}
        run = manifest.get("run_id")
    except (JobError, KeyError, TypeError, ValueError):
        run, found = None, {}
    published = {file.split: file.examples for file in known.sent}
    fits = run == known.data.curation and found == published
    yield Finding(
        check="shards",
        verdict="ok" if fits else "refuse",
        found=f"{local.shards}: {_said(found)} of curation {run or 'none'}",
        limit=f"{_said(published)} of curation {known.data.curation}",
        source=OWN_RULE,
        remedy="" if fits else "Run `finelake shards` with this configuration.",
    )


def _said(counts: dict[str, int]) -> str:
    return ", ".join(f"{split} {rows:,}" for split, rows in counts.items()) or "no examples"
