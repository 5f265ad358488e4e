"""Data dense with personal values fails the service's data checks, or passes them only by luck."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.plan.finding import OWN_RULE, Finding, Verdict
from finelake.training.plan.known import Known
from finelake.training.plan.registry import check


@check("data")
def personal_data(known: Known) -> Iterator[Finding]:
    """Say in which share of the lines personal data or secrets are still found.

    Kinds that the privacy settings only report were meant to stay: they warn and do not refuse.
    """
    config = known.settings.plan
    for file in known.sent:
        found = known.content[file.split].personal
        share = found.lines / found.looked if found.looked else 0.0
        verdict: Verdict = "ok"
        if share > 0 and share >= config.personal_warn:
            verdict = "refuse" if found.grave > config.personal_refuse * found.looked else "warn"
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(found.kinds.items()))
        yield Finding(
            check="personal_data",
            verdict=verdict,
            found=f"{file.path.name}: {share:.1%} of {found.looked:,} lines looked at"
            + (f" ({kinds})" if kinds else ""),
            limit=(
                f"warning from {config.personal_warn:.0%} of the lines, refused above {config.personal_refuse:.0%} "
                "(kinds that privacy only reports do not refuse)"
            ),
            source=f"{OWN_RULE} (plan.personal_refuse); that dense data fails: {known.cite('azure_safety')}",
            remedy=(
                "Redact these kinds under privacy and curate again, or allow what is no personal data (privacy.allow)."
                if verdict != "ok"
                else ""
            ),
        )
