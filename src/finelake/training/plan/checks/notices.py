"""What a provider announced about fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from finelake.services.identity import OPENAI_ENDPOINT
from finelake.training.plan.finding import Finding
from finelake.training.plan.known import Known
from finelake.training.plan.registry import check


@check("service")
def provider_notice(known: Known) -> Iterator[Finding]:
    """Show notices for the service's host."""
    service = known.settings.service
    host = urlsplit(service.endpoint or (OPENAI_ENDPOINT if service.kind == "openai" else "")).hostname
    for notice in known.catalogue.planning.notices:
        if notice.host == host:
            over = known.today >= notice.refused_from
            yield Finding(
                check="provider_notice",
                verdict="refuse" if over else "warn",
                found=notice.says,
                limit=f"no jobs for anybody from {notice.refused_from.isoformat()}",
                source=known.cite(notice.source),
                remedy="Use another service, such as Azure OpenAI.",
            )
