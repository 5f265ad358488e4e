"""What names a curation: a hash of everything that decides its bytes, and the fingerprints of its rules."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finelake import __version__
from finelake.annotate.plan import PassPlan
from finelake.annotate.row_checks import schema_hashes
from finelake.config.models import ModelCatalogue
from finelake.config.settings import Settings
from finelake.privacy.plan import key_check
from finelake.rules.catalogue import all_rules
from finelake.rules.registry import fingerprint
from finelake.tables.names import TableRef

_DECIDING = {
    "project",
    "source",
    "tables",
    "output",
    "conversations",
    "examples",
    "tokens",
    "checks",
    "privacy",
    "replies",
    "origins",
    "embeddings",
    "duplicates",
    "topics",
    "splits",
    "decontamination",
    "mixing",
}
"""The sections of the settings that decide what a curation writes."""

_AFTER_THE_PASS = {
    "tables",
    "output",
    "embeddings",
    "duplicates",
    "topics",
    "splits",
    "decontamination",
    "mixing",
}
"""Those of them that the Python pass knows nothing of, but for the side that duplicates are compared by."""


def run_id_of(
    settings: Settings,
    catalogue: ModelCatalogue,
    source: TableRef,
    version: int,
    evaluation: Mapping[str, str],
    *,
    source_id: str,
    vectors: int | None,
    erasures: str | None,
) -> str:
    """Hash everything that decides what a curation writes (16 hex digits).

    `source_id` is Delta's own id of the source table: one that was dropped and made again has the same versions, and
    other rows. `evaluation` names the content of each evaluation table, `vectors` is the version of the table of
    vectors, `erasures` the digest of what was erased. A new section of the settings that decides what is written must
    be named in `_DECIDING`.
    """
    content = settings.model_dump(mode="json", include=_DECIDING)
    tools = settings.examples.tools.file
    content |= _beside(settings, catalogue) | {
        "tools": hashlib.sha256(Path(tools).read_bytes()).hexdigest() if tools and Path(tools).exists() else None,
        "evaluation": dict(evaluation),
        "table": str(source),
        "table_id": source_id,
        "version": version,
        "vectors": vectors,
        "erasures": erasures,
        "finelake": __version__,
    }
    return short_hash(content)


def recipe_of(
    settings: Settings, catalogue: ModelCatalogue, tools: Mapping[str, Mapping[str, Any]], *, code: str
) -> str:
    """Hash what decides how a conversation is annotated, beside its rows and the canned replies (16 hex digits).

    `tools` are the definitions in use, given or inferred; `code` is the fingerprint of the package's source.
    """
    content = settings.model_dump(mode="json", include=_DECIDING - _AFTER_THE_PASS, exclude={"source": {"version"}})
    content |= _beside(settings, catalogue) | {
        "tools": dict(tools),
        "side": settings.duplicates.side,
        "code": code,
    }
    return short_hash(content)


def _beside(settings: Settings, catalogue: ModelCatalogue) -> dict[str, Any]:
    """Give what settings stand for and do not hold: the model and its limits, row schemas, the key of pseudonyms."""
    return {
        "model": catalogue.find(settings.model).model_dump(mode="json"),
        "limits": catalogue.limits.model_dump(mode="json"),
        "row_schemas": schema_hashes(settings.checks.row_schemas),
        "privacy_key": key_check(settings.privacy),
    }


def short_hash(content: Mapping[str, Any]) -> str:
    """Hash a mapping by its JSON with sorted keys (16 hex digits of SHA-256)."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprints_of(settings: Settings, plan: PassPlan) -> dict[str, str]:
    """Give the fingerprint of every rule by its reason code: the rule and the settings that govern it, hashed."""
    governing: dict[str, object] = {
        **plan.repair.settings(),
        **plan.privacy.settings(),
        **plan.replies.settings(),
        **settings.examples.model_dump(include={"train", "long", "overlap"}),
        "max_per_example": plan.limits.tokens,
        "splits": settings.splits.model_dump(mode="json"),
        "decontamination": settings.decontamination.model_dump(mode="json"),
        "exact": settings.duplicates.exact,
        "near": settings.duplicates.near,
        "semantic": settings.duplicates.semantic.model_dump(mode="json"),
        "semantic_vectors": settings.embeddings.model_dump(mode="json"),
        "mixing": settings.mixing.model_dump(mode="json"),
        "near_how": settings.duplicates.model_dump(include={"threshold", "permutations", "side"}),
    }
    return {code: fingerprint(rule, governing) for code, rule in sorted(all_rules().items())}
