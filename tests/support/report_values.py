"""A report with every section, built by hand: numbers that add up, and one word wherever data can stand."""

from __future__ import annotations

from finelake.report import document
from finelake.report.sections import (
    AuditCheck,
    Duplicates,
    PolicyResult,
    PromptShare,
    SharedText,
    Similarity,
    SimilarPairs,
    SystemPrompts,
    Topics,
    TopicShare,
    Windows,
    Written,
)


def whole_report(word: str = "word") -> document.Report:
    """Build it; `word` stands for ids, languages, labels, names and every other text that comes from data."""
    return document.Report(
        schema=document.SCHEMA,
        finelake="0.1.0",
        project="support",
        run_id=word,
        model=document.Model(id="gpt-4.1-2025-04-14", encoding="o200k_base", context=65536),
        source=document.Source(table=word, version=3, rows=1000),
        rows=document.Waterfall(unit="raw rows", start=1000, falls=_falls(word, (150, 50)), end=800),
        conversations=document.Waterfall(unit="conversations", start=100, falls=_falls(word, (15, 5)), end=80),
        turns=document.Waterfall(
            unit="turns of kept conversations",
            start=800,
            falls=(document.Fall(reason="turns_trimmed", effect="trim", count=10),),
            end=790,
        ),
        rules=(
            document.RuleCount(
                reason=word, step="order", effect="quarantine", meaning=word, units=15, rows=20, ids=(word, f"{word} 2")
            ),
        ),
        splits=tuple(_split(name, count) for name, count in (("train", 70), ("validation", 10), ("test", 5))),
        tokens=_histogram(limit=65536),
        messages=_histogram(limit=2048),
        mixes=(_mix("language", word), _mix(word, word)),
        written=Written(trained_tokens=10_200, known_tokens=9_000, human_tokens=5_100),
        system_prompts=SystemPrompts(distinct=2, without=5, most=(PromptShare(key=word, examples=60),)),
        windows=_windows(),
        topics=_topics(word),
        duplicates=_duplicates(),
        privacy=(document.PrivacyCount(kind="email", policy="redact", values=12, conversations=7),),
        audit=(
            AuditCheck(check="users_in_two_splits", found=0, allowed=0, passed=True),
            AuditCheck(check="prompt_overlap_with_tables", found=3, allowed=None, passed=True),
        ),
        contamination=(SharedText(source=word, side="prompt", conversations=3, spans=7, longest=41),),
        cost=_cost(word),
        manifest={"run_id": word, "rules": {word: {"count": 1}}},
    )


def _falls(word: str, counts: tuple[int, int]) -> tuple[document.Fall, ...]:
    return (
        document.Fall(reason=word, effect="quarantine", count=counts[0]),
        document.Fall(reason="duplicate_exact", effect="merge", count=counts[1]),
    )


def _split(name: str, examples: int) -> document.SplitFile:
    return document.SplitFile(
        split=name,
        file=f"{name}.jsonl",
        examples=examples,
        tokens=examples * 300,
        trained_tokens=examples * 120,
        bytes=examples * 1500,
        sha256="ab" * 32,
    )


def _histogram(limit: int) -> document.Histogram:
    bins = (document.Bin(64, 127, 25), document.Bin(128, 255, 60))
    return document.Histogram(bins=bins, median=140, p95=240, largest=255, limit=limit)


def _mix(column: str, word: str) -> document.Mix:
    shares = (_share(word, 50), _share(None, 25))
    return document.Mix(column=column, values=41, shares=shares, others=_share(None, 10))


def _share(value: str | None, examples: int) -> document.Share:
    return document.Share(value=value, examples=examples, tokens=examples * 300, trained_tokens=examples * 120)


def _windows() -> Windows:
    return Windows(
        limit=65536,
        policy="window",
        long_conversations=3,
        not_cut=1,
        tokens=300_000,
        replies=500,
        policies=(
            PolicyResult(policy="window", tokens=310_000, replies=480, replies_lost=20),
            PolicyResult(policy="keep_last", tokens=120_000, replies=190, replies_lost=310),
            PolicyResult(policy="drop", tokens=0, replies=0, replies_lost=500),
        ),
    )


def _duplicates() -> Duplicates:
    return Duplicates(
        side="reply",
        threshold=0.8,
        permutations=128,
        bands=25,
        rows_a_band=5,
        conversations=96,
        hashed=90,
        reused=6,
        candidates=14,
        verified=5,
        buckets=9,
        largest=4,
        capped=1,
        capped_rows=1200,
        s_curve=tuple(Similarity(similarity=n / 20, found=1 - (1 - (n / 20) ** 5) ** 25) for n in range(21)),
        similarities=(SimilarPairs(low=0.55, pairs=9), SimilarPairs(low=0.9, pairs=5)),
    )


def _topics(word: str) -> Topics:
    return Topics(
        topics_fitted=8,
        topics_present=3,
        conversations=80,
        without_topic=4,
        not_listed=6,
        entropy=0.91,
        entropy_tokens=0.88,
        effective_topics=6.6,
        coverage=0.94,
        topics=(
            TopicShare(topic=2, label=word, conversations=40, trained_tokens=9000, share=0.5, coverage=0.95),
            TopicShare(topic=0, label=f"{word}, two", conversations=30, trained_tokens=900, share=0.375, coverage=0.9),
        ),
    )


def _cost(word: str) -> document.Cost:
    return document.Cost(
        train_tokens=21_000,
        epochs=3,
        epochs_estimated=True,
        billed_tokens=63_000,
        largest_job=2_000_000_000,
        training_type="globalStandard",
        prices=(
            document.TrainingPrice(
                training_type="standard", million_tokens=None, amount=None, currency="USD", basis=word, as_of=""
            ),
            document.TrainingPrice(
                training_type="globalStandard",
                million_tokens=2.0,
                amount=0.126,
                currency="USD",
                basis=word,
                as_of="2026-03-19",
            ),
        ),
        hosting=(document.HostingPrice(sku="Standard", an_hour=1.7, currency="USD", basis=word, as_of="2026-03-19"),),
        retirement="2027-04-14",
    )
