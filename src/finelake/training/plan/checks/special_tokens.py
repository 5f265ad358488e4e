"""Text that spells a special token makes the job fail after the upload ("contains an invalid token")."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.plan.finding import Finding
from finelake.training.plan.known import Known
from finelake.training.plan.registry import check


@check("data")
def special_tokens(known: Known) -> Iterator[Finding]:
    """Look for `<|...|>` in every text."""
    for file in known.sent:
        places = known.content[file.split].special_tokens
        yield Finding(
            check="special_tokens",
            verdict="refuse" if places.count else "ok",
            found=f"{file.path.name}: lines with a special token: {places}",
            limit="none",
            source="github.com/johny-b/llmcomp/issues/59",
            remedy=(
                "Leave these conversations out (the rule text_special_token does) or take the token out of the text."
                if places.count
                else ""
            ),
        )
