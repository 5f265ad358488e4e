"""An example above the model's training context is cut or refused by the service; sources disagree which."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.plan.finding import Finding
from finelake.training.plan.known import Known
from finelake.training.plan.registry import check


@check("data")
def line_length(known: Known) -> Iterator[Finding]:
    """Compare the longest example, in tokens, with the model's limit."""
    limit = known.model.training_context
    for file in known.sent:
        content = known.content[file.split]
        if content.tokens is None or limit is None:
            why = f"no source gives a limit for {known.model.id}" if limit is None else "its tokens cannot be counted"
            yield Finding(check="line_length", verdict="unknown", found=f"{file.path.name}: {why}")
            continue
        long = content.too_long
        more = f", too long: {long}" if long.count else ""
        yield Finding(
            check="line_length",
            verdict="refuse" if long.count else "ok",
            found=f"{file.path.name}: the longest example has {content.tokens.longest:,} tokens{more}",
            limit=f"{limit:,} tokens",
            source=known.cite("azure_training_context"),
            remedy="Cut long conversations into windows (docs/windows.md) or leave them out." if long.count else "",
        )
