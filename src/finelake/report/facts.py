"""Sections of the report that the manifest already holds, made into the document's form; None where it has them not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from finelake.report.document import TOP_VALUES
from finelake.report.sections import (
    Duplicates,
    PolicyResult,
    PromptShare,
    Similarity,
    SimilarPairs,
    SystemPrompts,
    Topics,
    TopicShare,
    Windows,
)


def windows_of(manifest: Mapping[str, Any]) -> Windows | None:
    """Read the manifest's `windows`."""
    found = manifest.get("windows")
    if not found:
        return None
    most_first = sorted(found["policies"].items(), key=lambda item: (-item[1]["replies"], item[0]))
    policies = tuple(PolicyResult(policy=name, **kept) for name, kept in most_first)
    return Windows(**_own(found, Windows) | {"policies": policies})


def system_prompts_of(manifest: Mapping[str, Any]) -> SystemPrompts | None:
    """Read the manifest's `system_prompts`."""
    found = manifest.get("system_prompts")
    if not found:
        return None
    most = tuple(PromptShare(**_own(each, PromptShare)) for each in found["most"])
    return SystemPrompts(**_own(found, SystemPrompts) | {"most": most})


def duplicates_of(manifest: Mapping[str, Any], *, verified: int) -> Duplicates | None:
    """Read the manifest's `duplicates`, the search for near duplicates; `verified` pairs are in the table pairs."""
    found = manifest.get("duplicates")
    if not found:
        return None
    curve = (Similarity(similarity=float(at), found=share) for at, share in sorted(found["s_curve"].items()))
    pairs = (SimilarPairs(low=float(low), pairs=count) for low, count in sorted(found["similarities"].items()))
    drawn = {"s_curve": tuple(curve), "similarities": tuple(pairs), "verified": verified}
    return Duplicates(**_own(found, Duplicates) | drawn)


def topics_of(manifest: Mapping[str, Any]) -> Topics | None:
    """Read the manifest's `topics`, the largest `TOP_VALUES` of them."""
    found = manifest.get("topics")
    if not found:
        return None
    by_size = sorted(found["topics"], key=lambda each: (-each["conversations"], each["topic"]))
    present = [TopicShare(**_own(each, TopicShare)) for each in by_size if each["conversations"]]
    listed, others = present[:TOP_VALUES], present[TOP_VALUES:]
    not_listed = sum(each.conversations for each in others)
    return Topics(**_own(found, Topics) | {"topics": tuple(listed), "not_listed": not_listed})


def _own(found: Mapping[str, Any], section: type[Any]) -> dict[str, Any]:
    """Take what a section has a field for; a manifest may hold more."""
    names = {each.name for each in fields(section)}
    return {name: value for name, value in found.items() if name in names}
