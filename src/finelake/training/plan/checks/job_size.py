"""Tokens times epochs of one job, the epochs by the rule that applies."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.plan.finding import OWN_RULE, Finding
from finelake.training.plan.known import Known
from finelake.training.plan.registry import check


@check("money")
def epochs(known: Known) -> Iterator[Finding]:
    """Say how many epochs, and by which rule."""
    reckoning = known.reckoning
    open_ = reckoning.epochs.least != reckoning.epochs.most
    yield Finding(
        check="epochs",
        verdict="warn" if open_ else "ok",
        found=f"{reckoning.epochs} epochs ({reckoning.epochs_rule})",
        limit=f"1 to {known.catalogue.limits.max_epochs}",
        source=reckoning.epochs_source or known.cite("openai_openapi"),
        remedy="Set training.epochs to know the price beforehand." if open_ else "",
    )


@check("money")
def tokens_times_epochs(known: Known) -> Iterator[Finding]:
    """Compare the most that may be trained with the service's largest job."""
    billed, most = known.reckoning.billed, known.catalogue.limits.max_tokens_times_epochs
    if billed is None or known.reckoning.tokens is None:
        yield Finding(
            check="tokens_times_epochs",
            verdict="unknown",
            found=f"the tokenizer of {known.model.id} is not available, so its tokens cannot be counted",
        )
        return
    over = known.is_azure and billed.most > most
    yield Finding(
        check="tokens_times_epochs",
        verdict="refuse" if over else "ok",
        found=f"{known.reckoning.tokens} tokens x {known.reckoning.epochs} epochs = {billed}",
        limit=f"{most:,} a job" if known.is_azure else "",
        source=known.cite("azure_quotas") if known.is_azure else "",
        remedy="Lower training.epochs or curate less." if over else "",
    )


@check("data")
def counted_tokens(known: Known) -> Iterator[Finding]:
    """Compare the tokens counted now with those that the manifest says."""
    for file in known.sent:
        tokens = known.content[file.split].tokens
        if tokens is None or known.counted_for.id != known.model.id:
            continue
        same = tokens.fewest <= file.tokens <= tokens.most
        yield Finding(
            check="counted_tokens",
            verdict="ok" if same else "warn",
            found=f"{file.path.name}: {tokens.most:,} tokens, the manifest says {file.tokens:,}",
            source=OWN_RULE,
            remedy="" if same else "Curate again, so that the manifest says what the files hold.",
        )
