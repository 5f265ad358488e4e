"""Every setting of finelake, as frozen models: one class a section of the configuration file.

A step takes the section that belongs to it and nothing else, from here; a family of sections has a module of its own
beside this one. Defaults that come from a published limit name their source beside the field.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints, model_validator

from finelake.config.duplicates import Duplicates, Semantic
from finelake.config.evaluation import Evaluation
from finelake.config.examples import Checks, Conversations, Examples, SystemPrompt, Tokens, Tools
from finelake.config.huggingface import Shards
from finelake.config.increments import Increments
from finelake.config.mixing import Cap, Mixing, Weights
from finelake.config.planning import Plan
from finelake.config.privacy import Privacy, SecretRef
from finelake.config.promotion import Promotion
from finelake.config.replies import Origins, Replies
from finelake.config.section import Section
from finelake.config.service import Deployment, Service, Training
from finelake.config.session import SessionSettings
from finelake.config.source import Columns, Output, Source, Tables, ToolCallFields, is_path
from finelake.config.splits import Decontamination, EvaluationTable, SplitCut, Splits
from finelake.config.topics import Embeddings, Topics
from finelake.config.tracking import Tracking

__all__ = [
    "Cap",
    "Checks",
    "Columns",
    "Conversations",
    "Decontamination",
    "Deployment",
    "Duplicates",
    "Embeddings",
    "Evaluation",
    "EvaluationTable",
    "Examples",
    "Increments",
    "Mixing",
    "Origins",
    "Output",
    "Plan",
    "Privacy",
    "Promotion",
    "Replies",
    "SecretRef",
    "Semantic",
    "Service",
    "SessionSettings",
    "Settings",
    "Shards",
    "Source",
    "SplitCut",
    "Splits",
    "SystemPrompt",
    "Tables",
    "Tokens",
    "ToolCallFields",
    "Tools",
    "Topics",
    "Tracking",
    "Training",
    "Weights",
    "is_path",
]

ProjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class Settings(Section):
    """A whole configuration file."""

    project: ProjectName
    model: str
    models_file: str | None = None
    source: Source
    tables: Tables = Tables()
    output: Output = Output()
    shards: Shards = Shards()
    session: SessionSettings = SessionSettings()
    conversations: Conversations = Conversations()
    examples: Examples = Examples()
    tokens: Tokens = Tokens()
    checks: Checks = Checks()
    privacy: Privacy = Privacy()
    replies: Replies = Replies()
    origins: Origins = Origins()
    embeddings: Embeddings = Embeddings()
    duplicates: Duplicates = Duplicates()
    topics: Topics = Topics()
    splits: Splits = Splits()
    decontamination: Decontamination = Decontamination()
    mixing: Mixing = Mixing()
    increments: Increments = Increments()
    service: Service = Service()
    training: Training = Training()
    deployment: Deployment = Deployment()
    plan: Plan = Plan()
    promotion: Promotion = Promotion()
    tracking: Tracking = Tracking()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _what_is_used_is_there(self) -> Settings:
        by_vector = self.topics.enabled and self.topics.features == "embedding"
        if (by_vector or self.duplicates.semantic.enabled) and not self.embeddings.given:
            raise ValueError(
                "topics.features: embedding and duplicates.semantic need embeddings.column or embeddings.model"
            )
        named = [cap.column for cap in self.mixing.caps] + ([self.mixing.weights.column] if self.mixing.weights else [])
        if "topic" in named and not self.topics.enabled:
            raise ValueError("mixing by topic needs topics.enabled: true")
        if "topic" in self.splits.stratify and not self.topics.enabled:
            raise ValueError("splits.stratify by topic needs topics.enabled: true")
        local = self.service.huggingface
        if local is not None and local.shards not in {None, self.shards.folder}:
            raise ValueError("service.huggingface.shards is not the folder that shards.folder names")
        if local is not None and local.serving is not None and self.evaluation.length_parameter != "max_tokens":
            raise ValueError("service.huggingface.serving needs evaluation.length_parameter: max_tokens")
        return self
