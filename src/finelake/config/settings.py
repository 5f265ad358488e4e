"""Every setting of finelake, as frozen models: one class a section of the configuration file.

A step takes the section that belongs to it and nothing else. Defaults that come from a published limit
name their source beside the field.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from finelake.config.evaluation import Evaluation
from finelake.config.replies import Origins, Replies
from finelake.config.section import Fraction, PositiveInt, Section

Role = Literal["system", "user", "assistant", "tool"]
SplitName = Literal["train", "validation", "test"]
PrivacyPolicy = Literal["redact", "reject", "report", "ignore"]

_NAME_PART = r"[A-Za-z_][A-Za-z0-9_]*"
_TABLE_NAME = re.compile(rf"\A{_NAME_PART}(\.{_NAME_PART}){{0,2}}\Z")
_NAME_PREFIX = re.compile(rf"\A({_NAME_PART})?\Z")

ProjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


def is_path(reference: str) -> bool:
    """Tell a Delta folder (`/Volumes/...`, `abfss://...`, `./tables/x`) from a catalog name (`a.b.c`)."""
    return "/" in reference or "\\" in reference


class Columns(Section):
    """Names of the raw table's columns; None means the table has no such column."""

    conversation_id: str = "conversation_id"
    turn_index: str | None = None
    sent_at: str | None = None
    author: str = "author"
    text: str = "text"
    tool_calls: str | None = None
    tool_call_id: str | None = None
    name: str | None = None
    weight: str | None = None
    user_id: str | None = None
    agent_id: str | None = None
    origin: str | None = None
    language: str | None = None
    metadata: tuple[str, ...] = ()
    messages: str = "messages"
    tools: str | None = None


class ToolCallFields(Section):
    """Field names inside the tool-call column, for tables that do not use OpenAI's form."""

    id: str = "id"
    name: str = "name"
    arguments: str = "arguments"
    results: str = "results"


class Source(Section):
    """Where the raw rows are and what their columns mean."""

    table: str
    version: Annotated[int, Field(ge=0)] | None = None
    layout: Literal["turns", "conversations"] = "turns"
    columns: Columns = Columns()
    roles: dict[str, Role] = Field(
        default={"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}, min_length=1
    )
    tool_call_fields: ToolCallFields = ToolCallFields()

    @model_validator(mode="after")
    def _an_order_is_mapped(self) -> Source:
        if self.layout == "turns" and self.columns.turn_index is None and self.columns.sent_at is None:
            raise ValueError("map columns.turn_index or columns.sent_at: turns need an order")
        authors: dict[str, str] = {}
        for author, role in self.roles.items():
            if authors.setdefault(author.strip().lower(), role) != role:
                raise ValueError(f"roles gives {author!r} two roles: letter case and outer spaces do not count")
        if not is_path(self.table) and not _TABLE_NAME.match(self.table):
            raise ValueError("table must be a name of one to three parts (catalog.schema.table) or a folder")
        return self


class Tables(Section):
    """Where finelake keeps its own tables: a folder, or `catalog.schema`."""

    location: str = ".finelake/tables"
    prefix: str = ""

    @model_validator(mode="after")
    def _names_are_safe(self) -> Tables:
        if not is_path(self.location) and not _TABLE_NAME.match(self.location):
            raise ValueError("location must be a folder or catalog.schema")
        if not _NAME_PREFIX.match(self.prefix):
            raise ValueError("prefix may hold letters, digits and underscores")
        return self


class Output(Section):
    """The folder (local or under /Volumes) for JSONL files, manifest and reports."""

    folder: str = ".finelake/output"
    byte_order_mark: bool = False


class SessionSettings(Section):
    """How to get a Spark session; `auto` takes what the platform gives and starts a local one elsewhere."""

    mode: Literal["auto", "local", "connect", "existing"] = "auto"
    remote: str | None = None
    cores: PositiveInt | None = None
    memory: Annotated[str, StringConstraints(pattern=r"^[0-9]+[mg]$")] = "4g"
    shuffle_partitions: PositiveInt | None = None
    warehouse: str | None = None


class Conversations(Section):
    """How raw turns become conversations; each field is the policy of one rule or its threshold.

    `max_turns` defaults to the most messages a chat request may hold on Azure (2,048).
    """

    gaps: Literal["quarantine", "keep"] = "quarantine"
    clock_skew: Literal["note", "quarantine"] = "note"
    clock_skew_tolerance_seconds: Annotated[float, Field(ge=0)] = 5.0
    assistant_leading: Literal["trim", "keep", "quarantine"] = "trim"
    special_tokens: Literal["quarantine", "keep"] = "quarantine"
    control_characters: Literal["quarantine", "keep"] = "quarantine"
    merge_separator: str = "\n"
    max_turns: PositiveInt = 2048


class SystemPrompt(Section):
    """What happens to system prompts: keep them, inject one where none is, or replace all."""

    policy: Literal["keep", "inject", "replace"] = "keep"
    text: str | None = None

    @model_validator(mode="after")
    def _text_is_given(self) -> SystemPrompt:
        if self.policy != "keep" and not self.text:
            raise ValueError(f"system_prompt.policy {self.policy!r} needs system_prompt.text")
        return self


class Tools(Section):
    """Tool definitions written into an example: none, those it calls, or all of them.

    Definitions come from `file` (a JSON list in OpenAI's form), else they are inferred from the calls
    in the table (name and argument names).
    """

    include: Literal["none", "called", "all"] = "called"
    file: str | None = None


class Examples(Section):
    """How conversations become training examples.

    `long` says what becomes of a conversation that is longer than an example may be: `window` cuts it into several
    examples, each beginning with as many earlier exchanges as fit into the share `overlap` of the limit (context with
    weight 0, so that no reply is trained twice), `keep_last` keeps the last exchanges that fit, `drop` sets it aside.
    """

    system_prompt: SystemPrompt = SystemPrompt()
    tools: Tools = Tools()
    train: Literal["all", "last"] = "all"
    long: Literal["window", "keep_last", "drop"] = "window"
    overlap: Annotated[float, Field(ge=0.0, le=0.9)] = 0.25


class Tokens(Section):
    """Token counting: `auto` takes the fast engine where its self-check passes."""

    engine: Literal["auto", "toktok", "tiktoken"] = "auto"
    max_per_example: PositiveInt | None = None


class Checks(Section):
    """Row checks: pandera schemas of the user's, each named as `module:attribute`."""

    row_schemas: tuple[Annotated[str, StringConstraints(pattern=r"^[\w.]+:[\w.]+$")], ...] = ()


class Embeddings(Section):
    """One vector a conversation: a column of numbers that the user has, or a sentence-embedding model.

    `column` (array of numbers) stands in `table` (the source table where none is named) beside a column `key` with the
    conversation's id; of several rows of a conversation the one with the smallest vector counts. `model` is a name or
    folder for sentence-transformers, or `module:function` that gives an object with its method `encode`; it reads the
    first `characters` of the compared text.
    """

    column: str | None = None
    table: str | None = None
    key: str | None = None
    model: str | None = None
    characters: Annotated[int, Field(ge=100, le=20_000)] = 2000

    @model_validator(mode="after")
    def _one_origin(self) -> Embeddings:
        if self.column is not None and self.model is not None:
            raise ValueError("give column or model, not both")
        if self.column is None and (self.table is not None or self.key is not None):
            raise ValueError("table and key say where column is: give column")
        return self

    @property
    def given(self) -> bool:
        """Whether there are vectors at all."""
        return self.column is not None or self.model is not None


class Semantic(Section):
    """Semantic near duplicates: conversations whose vectors (section `embeddings`) have a cosine of `threshold` up.

    They are searched for within `clusters` of a k-means on `sample` conversations (None: by their number), each one in
    its `probes` nearest clusters. The threshold's default is the cautious end of SemDeDup's (arXiv 2303.09540).
    """

    enabled: bool = False
    threshold: Annotated[float, Field(gt=0.0, le=1.0)] = 0.95
    clusters: Annotated[int, Field(ge=1, le=4096)] | None = None
    sample: Annotated[int, Field(ge=100, le=50_000)] = 10_000
    probes: Annotated[int, Field(ge=1, le=8)] = 2
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 7


class Duplicates(Section):
    """Exact duplicates by a normalised hash of what is trained, near ones by a verified Jaccard similarity.

    `side` is the text that conversations are compared by: `reply` (what the assistant says, and the last user turn),
    `user` or `both`. With `near`, of two conversations at or above the `threshold` only the better one stays;
    `permutations` is the length of the MinHash signatures that find candidates. `driver_values` bounds what the driver
    holds at once, in numbers of eight bytes (band keys, shingles); above it the same is done on Spark.
    """

    exact: bool = True
    side: Literal["reply", "user", "both"] = "reply"
    near: bool = False
    threshold: Annotated[float, Field(ge=0.3, le=1.0)] = 0.8
    permutations: Annotated[int, Field(ge=16, le=1024)] = 128
    driver_values: Annotated[int, Field(ge=0)] = 32_000_000
    semantic: Semantic = Semantic()


class Topics(Section):
    """What conversations are about: topics found by clustering, for the report, for splits and for mixing.

    The model is fitted once, on `sample` conversations, and used by later runs as long as this section stays; counting
    `generation` up fits another one. A term that fewer than `min_users` users of the sample use is neither counted nor
    shown. Only the first `characters` of a conversation's compared text are read. `embedding` clusters the vectors of
    the section `embeddings` instead of terms.
    """

    enabled: bool = False
    features: Literal["terms", "embedding"] = "terms"
    count: Annotated[int, Field(ge=1, le=1000)] = 32
    sample: Annotated[int, Field(ge=100, le=50_000)] = 10_000
    terms: Annotated[int, Field(ge=10, le=20_000)] = 4096
    dimensions: Annotated[int, Field(ge=1, le=256)] = 64
    min_users: Annotated[int, Field(ge=2)] = 10
    characters: Annotated[int, Field(ge=100, le=20_000)] = 4000
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 7
    generation: PositiveInt = 1


class SplitCut(Section):
    """A cut in time: groups that were first heard of from `test_from` on are the test split, earlier ones not.

    Those from `validation_from` on are the validation split; without it the share `splits.validation` of the earlier
    groups is. A time without a zone is UTC.
    """

    test_from: datetime
    validation_from: datetime | None = None

    @field_validator("test_from", "validation_from")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value

    @model_validator(mode="after")
    def _spans_are_in_order(self) -> SplitCut:
        if self.validation_from is not None and self.validation_from >= self.test_from:
            raise ValueError("splits.cut.validation_from must be before splits.cut.test_from")
        return self


class Splits(Section):
    """Shares of the three splits and the salt of the hash that assigns groups to them.

    With `stratify` the shares are those of each language or topic, exactly. With `cut` time decides instead of the
    hash. A group's split is pinned by the first run that publishes it; any change of these settings starts anew.
    """

    salt: str = "finelake"
    validation: Fraction = 0.1
    test: Fraction = 0.1
    stratify: tuple[Literal["language", "topic"], ...] = ()
    cut: SplitCut | None = None

    @model_validator(mode="after")
    def _something_is_left_to_train(self) -> Splits:
        if self.validation + self.test >= 1.0:
            raise ValueError("splits.validation + splits.test must be below 1.0")
        if self.cut is not None and self.stratify:
            raise ValueError("splits.cut and splits.stratify exclude each other: time decides, not shares")
        return self


class EvaluationTable(Section):
    """Held-out questions that must not be trained on: a Delta table, or a JSONL file.

    `prompt` and `answer` name columns of text; `messages` names a column in chat form instead (a file that finelake
    published has it), whose user messages are prompts and whose assistant messages are answers. `id` names the column
    that rows are told apart by; without it a hash of the row's text does.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    table: str | None = None
    file: str | None = None
    version: Annotated[int, Field(ge=0)] | None = None
    id: str | None = None
    prompt: str | None = None
    answer: str | None = None
    messages: str | None = None

    @model_validator(mode="after")
    def _one_source_and_something_to_compare(self) -> EvaluationTable:
        if (self.table is None) == (self.file is None):
            raise ValueError("give either table: or file:")
        if self.file is not None and self.version is not None:
            raise ValueError("version: belongs to table:, a file has none")
        if self.messages is None and self.prompt is None and self.answer is None:
            raise ValueError("name the column of prompt:, answer: or messages:")
        if self.name in ("validation", "test"):
            raise ValueError("the names validation and test belong to the project's own splits")
        return self


class Decontamination(Section):
    """What becomes of training examples that share text with evaluation data.

    `policy` is for the evaluation `tables`, `own_splits` for the project's validation and test splits. Text is shared
    where `ngram` words in a row are the same: 13, and n-grams in more than `max_documents` conversations or rows of an
    evaluation table are common phrases that do not count: 10 (GPT-3, arXiv 2005.14165, appendix C; NeMo Curator's
    `max_ngram_size` and `max_matches`). A shorter message counts when all of it is the same and it has `min_words`
    (own choice: greetings are shorter).
    """

    tables: tuple[EvaluationTable, ...] = ()
    policy: Literal["reject", "report"] = "reject"
    own_splits: Literal["reject", "report", "off"] = "report"
    ngram: Annotated[int, Field(ge=3, le=100)] = 13
    min_words: Annotated[int, Field(ge=1, le=100)] = 5
    max_documents: PositiveInt = 10

    @model_validator(mode="after")
    def _names_differ(self) -> Decontamination:
        names = [table.name for table in self.tables]
        if len(set(names)) < len(names):
            raise ValueError("decontamination.tables: two tables have the same name")
        return self


class Cap(Section):
    """The most that one value of a column may have: trained tokens, or a share of those left in the train split.

    Without `values` every value of the column is capped by itself (`user_id` with `tokens`: no user has more).
    """

    column: str
    values: tuple[str, ...] | None = None
    tokens: Annotated[int, Field(ge=0)] | None = None
    share: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Cap:
        if (self.tokens is None) == (self.share is None):
            raise ValueError("give tokens or share, one of them")
        return self


class Weights(Section):
    """In what proportion the values of a column share the budget; `other` is the weight of values not named."""

    column: str
    values: dict[str, Annotated[float, Field(ge=0)]] = Field(min_length=1)
    other: Annotated[float, Field(ge=0)] = 1.0


class Mixing(Section):
    """What the train split is made of: caps in their order, then a budget of trained tokens, divided by weights.

    Columns are `topic`, `language`, `origin`, `user_id`, `metadata.KEY` or any other of a conversation. What is chosen
    follows a salted hash of the user (or duplicate group), so that users stay whole and growth changes little.
    """

    caps: tuple[Cap, ...] = ()
    budget_tokens: PositiveInt | None = None
    weights: Weights | None = None
    salt: str = "finelake"

    @model_validator(mode="after")
    def _weights_divide_a_budget(self) -> Mixing:
        if self.weights is not None and self.budget_tokens is None:
            raise ValueError("mixing.weights divide mixing.budget_tokens: set it")
        return self


class SecretRef(Section):
    """Where a secret is kept: an environment variable, or a Databricks secret scope and key. Never its value."""

    env: str | None = None
    scope: str | None = None
    key: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> SecretRef:
        if (self.env is None) == (self.scope is None) or (self.scope is None) != (self.key is None):
            raise ValueError("give env: NAME, or scope: and key:")
        return self


class Privacy(Section):
    """What is done with personal data and secrets, by kind: redact, reject, report (record only) or ignore.

    Values get one pseudonym inside a conversation, or across the table, which needs a `key`. A number without a
    country code counts as a telephone number where one of `phone_regions` (ISO 3166-1) has such numbers.
    `allow` lists what may stay: values such as the desk's own address, or `@example.com` for every address of a host.
    """

    secret: PrivacyPolicy = "redact"
    url_credential: PrivacyPolicy = "redact"
    email: PrivacyPolicy = "redact"
    iban: PrivacyPolicy = "redact"
    card: PrivacyPolicy = "redact"
    national_id: PrivacyPolicy = "redact"
    ip: PrivacyPolicy = "report"
    phone: PrivacyPolicy = "redact"
    address: PrivacyPolicy = "report"
    phone_regions: tuple[str, ...] = ("US", "GB", "DE", "JP")
    allow: tuple[str, ...] = ()
    pseudonyms: Literal["conversation", "table"] = "conversation"
    key: SecretRef | None = None

    @model_validator(mode="after")
    def _a_key_is_named(self) -> Privacy:
        if self.pseudonyms == "table" and self.key is None:
            raise ValueError("pseudonyms across the table need key: {env: NAME} or {scope: ..., key: ...}")
        return self


class Service(Section):
    """The fine-tuning service. Without `api_key`, Entra ID signs in (azure-identity's default chain).

    `resource_manager` is ARM's address; a loopback address may be plain http and then takes
    `resource_manager_token` instead of Entra.
    """

    kind: Literal["azure", "openai"] = "azure"
    endpoint: str | None = None
    api: Literal["v1", "dated"] = "v1"
    api_version: str = "2025-04-01-preview"
    api_key: SecretRef | None = None
    subscription_id: str | None = None
    resource_group: str | None = None
    account: str | None = None
    resource_manager: str = "https://management.azure.com"
    resource_manager_token: SecretRef | None = None


class Training(Section):
    """The fine-tuning job. Ranges: OpenAI's API specification; suffix: Azure's (at most 40 characters).

    The same data and settings never make a second job; counting `attempt` up asks for another one all the same.
    After `deadline_hours` of watching the job is left, paused or cancelled, as `at_deadline` says. Files above
    `parts_above_megabytes` (of 2^20 bytes) travel in parts of `part_megabytes`. With `import_from`, a secret that
    holds the signed address of a folder with the published files, the service fetches them itself. A driver that has
    not written for `lease_seconds` is taken for dead.
    """

    epochs: Annotated[int, Field(ge=1, le=50)] | Literal["auto"] = "auto"
    batch_size: Annotated[int, Field(ge=1, le=256)] | Literal["auto"] = "auto"
    learning_rate_multiplier: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    suffix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")] | None = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 7
    attempt: PositiveInt = 1
    training_type: Literal["standard", "globalStandard", "developerTier"] = "globalStandard"
    poll_seconds: Annotated[float, Field(gt=0)] = 10.0
    deadline_hours: Annotated[float, Field(gt=0)] = 24.0
    at_deadline: Literal["leave", "pause", "cancel"] = "leave"
    parts_above_megabytes: PositiveInt = 100
    part_megabytes: Annotated[int, Field(ge=1, le=64)] = 32
    import_from: SecretRef | None = None
    lease_seconds: Annotated[float, Field(ge=1)] = 600.0


class Deployment(Section):
    """Deployments of the tuned and the base model; capacity in thousands of tokens a minute."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{2,64}$")] | None = None
    sku: Literal["Standard", "GlobalStandard", "DeveloperTier", "DataZoneStandard", "ProvisionedManaged"] = (
        "DeveloperTier"
    )
    capacity: PositiveInt = 50
    base_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{2,64}$")] | None = None
    base_sku: Literal["Standard", "GlobalStandard", "DataZoneStandard", "ProvisionedManaged"] = "GlobalStandard"
    ready_timeout_seconds: Annotated[float, Field(gt=0)] = 1800.0


class Settings(Section):
    """A whole configuration file."""

    project: ProjectName
    model: str
    models_file: str | None = None
    source: Source
    tables: Tables = Tables()
    output: Output = Output()
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
    service: Service = Service()
    training: Training = Training()
    deployment: Deployment = Deployment()
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
        return self
