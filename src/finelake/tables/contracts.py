"""The contract of each Delta table: a pandera schema of names and types, checked on what is read and written.

Only the schema is checked here, which starts no Spark job; rows are checked once, in the Python pass.
"""

from __future__ import annotations

import pandera.pyspark as pa
import pyspark.sql.types as T
from pandera.config import ValidationDepth, config_context
from pyspark.sql import DataFrame

from finelake.errors import InputError
from finelake.tables import names

_STRINGS = T.ArrayType(T.StringType())
_INTS = T.ArrayType(T.IntegerType())
_METADATA = T.MapType(T.StringType(), T.StringType())

DECISION = T.StructType(
    [
        T.StructField("step", T.StringType()),
        T.StructField("action", T.StringType()),
        T.StructField("reason", T.StringType()),
        T.StructField("turns", _INTS),
        T.StructField("value", T.StringType()),
        T.StructField("threshold", T.StringType()),
    ]
)

WINDOW = T.StructType(
    [
        T.StructField("line", T.StringType()),
        T.StructField("message_count", T.IntegerType()),
        T.StructField("tokens", T.LongType()),
        T.StructField("trained_tokens", T.LongType()),
        T.StructField("human_tokens", T.LongType()),
    ]
)

MESSAGE = T.StructType(
    [
        T.StructField("role", T.StringType()),
        T.StructField("content", T.StringType()),
        T.StructField("name", T.StringType()),
        T.StructField(
            "tool_calls",
            T.ArrayType(
                T.StructType(
                    [
                        T.StructField("id", T.StringType()),
                        T.StructField("type", T.StringType()),
                        T.StructField(
                            "function",
                            T.StructType(
                                [T.StructField("name", T.StringType()), T.StructField("arguments", T.StringType())]
                            ),
                        ),
                    ]
                )
            ),
        ),
        T.StructField("tool_call_id", T.StringType()),
        T.StructField("weight", T.IntegerType()),
    ]
)

TOOL_CALL = T.StructType([T.StructField("name", T.StringType()), T.StructField("arguments", T.StringType())])

# DQX's result struct (databrickslabs/dqx, schema/dq_result_schema.py), so that its dashboards read our quarantine.
DQX_RESULT = T.StructType(
    [
        T.StructField("name", T.StringType()),
        T.StructField("message", T.StringType()),
        T.StructField("columns", _STRINGS),
        T.StructField("filter", T.StringType()),
        T.StructField("function", T.StringType()),
        T.StructField("run_time", T.TimestampType()),
        T.StructField("run_id", T.StringType()),
        T.StructField("user_metadata", _METADATA),
        T.StructField("rule_fingerprint", T.StringType()),
        T.StructField("rule_set_fingerprint", T.StringType()),
        T.StructField("skipped", T.BooleanType()),
    ]
)


class Described(pa.DataFrameModel):
    """What is known of a conversation beside its turns; shared by annotated and examples."""

    conversation_id: T.StringType = pa.Field(nullable=True)
    rows_in: T.LongType = pa.Field(nullable=True)
    user_id: T.StringType = pa.Field(nullable=True)
    agent_ids: _STRINGS = pa.Field(nullable=True)
    origins: _STRINGS = pa.Field(nullable=True)
    language: T.StringType = pa.Field(nullable=True)
    metadata: _METADATA = pa.Field(nullable=True)
    first_at: T.TimestampType = pa.Field(nullable=True)
    last_at: T.TimestampType = pa.Field(nullable=True)
    turns_in: T.IntegerType = pa.Field(nullable=True)
    kept: T.IntegerType = pa.Field(nullable=True)
    merged: T.IntegerType = pa.Field(nullable=True)
    trimmed: T.IntegerType = pa.Field(nullable=True)
    duplicate: T.IntegerType = pa.Field(nullable=True)
    whole_tokens: T.LongType = pa.Field(nullable=True)
    tool_tokens: T.LongType = pa.Field(nullable=True)
    replies: T.IntegerType = pa.Field(nullable=True)
    system_key: T.StringType = pa.Field(nullable=True)
    dedup_key: T.StringType = pa.Field(nullable=True)


class Annotated(Described):
    """One row a conversation, with everything the Python pass found; `windows` is null where `reasons` is not empty.

    `whole_tokens` and `replies` (trained assistant messages) are those of the conversation as one example. For a long
    one, `window_*` and `last_*` say what the policies `window` and `keep_last` keep; null where one example holds it.
    `compared` is the text that near duplicates are compared by.
    """

    windows: T.ArrayType(WINDOW) = pa.Field(nullable=True)
    window_tokens: T.LongType = pa.Field(nullable=True)
    window_replies: T.IntegerType = pa.Field(nullable=True)
    last_tokens: T.LongType = pa.Field(nullable=True)
    last_replies: T.IntegerType = pa.Field(nullable=True)
    compared: T.StringType = pa.Field(nullable=True)
    reasons: _STRINGS = pa.Field(nullable=True)
    decisions: T.ArrayType(DECISION) = pa.Field(nullable=True)
    payload: T.StringType = pa.Field(nullable=True)


class Examples(Described):
    """The curated examples: one row a line of the published files; window `window` of the conversation's `windows`.

    What is told of the conversation (rows_in, turns_in, whole_tokens, replies ...) is the same in all its windows.
    """

    window: T.IntegerType = pa.Field(nullable=True)
    windows: T.IntegerType = pa.Field(nullable=True)
    line: T.StringType = pa.Field(nullable=True)
    message_count: T.IntegerType = pa.Field(nullable=True)
    tokens: T.LongType = pa.Field(nullable=True)
    trained_tokens: T.LongType = pa.Field(nullable=True)
    human_tokens: T.LongType = pa.Field(nullable=True)
    run_id: T.StringType = pa.Field(nullable=True)
    group_key: T.StringType = pa.Field(nullable=True)
    split_hash: T.DoubleType = pa.Field(nullable=True)
    split: T.StringType = pa.Field(nullable=True)
    sort_key: T.StringType = pa.Field(nullable=True)
    messages: T.ArrayType(MESSAGE) = pa.Field(nullable=True)
    tools: T.StringType = pa.Field(nullable=True)


class Quarantine(pa.DataFrameModel):
    """What was set aside: `unit` is `conversation` (payload: its turns as JSON) or `row` (payload: the raw row)."""

    run_id: T.StringType = pa.Field(nullable=True)
    unit: T.StringType = pa.Field(nullable=True)
    conversation_id: T.StringType = pa.Field(nullable=True)
    rows_in: T.LongType = pa.Field(nullable=True)
    reasons: _STRINGS = pa.Field(nullable=True)
    errors: T.ArrayType(DQX_RESULT) = pa.Field(nullable=True, alias="_errors")
    payload: T.StringType = pa.Field(nullable=True)


class Ledger(pa.DataFrameModel):
    """One row a conversation and decision; exactly one row with step `outcome` a conversation (or loose raw row)."""

    run_id: T.StringType = pa.Field(nullable=True)
    conversation_id: T.StringType = pa.Field(nullable=True)
    position: T.IntegerType = pa.Field(nullable=True)
    step: T.StringType = pa.Field(nullable=True)
    action: T.StringType = pa.Field(nullable=True)
    reason: T.StringType = pa.Field(nullable=True)
    turns: _INTS = pa.Field(nullable=True)
    rows: T.LongType = pa.Field(nullable=True)
    value: T.StringType = pa.Field(nullable=True)
    threshold: T.StringType = pa.Field(nullable=True)
    kept_id: T.StringType = pa.Field(nullable=True)
    rule_fingerprint: T.StringType = pa.Field(nullable=True)


class Assignments(pa.DataFrameModel):
    """One row an example when it is first published: the split it is in for good (see splitting.pins)."""

    pinning: T.StringType = pa.Field(nullable=True)
    batch: T.IntegerType = pa.Field(nullable=True)
    run_id: T.StringType = pa.Field(nullable=True)
    conversation_id: T.StringType = pa.Field(nullable=True)
    single_group: T.StringType = pa.Field(nullable=True)
    group_key: T.StringType = pa.Field(nullable=True)
    dedup_key: T.StringType = pa.Field(nullable=True)
    stratum: T.StringType = pa.Field(nullable=True)
    split: T.StringType = pa.Field(nullable=True)


class Contamination(pa.DataFrameModel):
    """One row a span of words, from `start` to before `end`, that a training example shares with evaluation data.

    `source` is an evaluation table's name or a split, `row_id` its row or conversation, `side` the evaluation's prompt
    or answer, `role` on which side of the example it was found; `message` counts the messages of the window's line.
    Without a conversation_id: how many n-grams of a source and side were too common to count.
    """

    conversation_id: T.StringType = pa.Field(nullable=True)
    window: T.IntegerType = pa.Field(nullable=True)
    message: T.IntegerType = pa.Field(nullable=True)
    role: T.StringType = pa.Field(nullable=True)
    source: T.StringType = pa.Field(nullable=True)
    row_id: T.StringType = pa.Field(nullable=True)
    side: T.StringType = pa.Field(nullable=True)
    start: T.IntegerType = pa.Field(nullable=True)
    end: T.IntegerType = pa.Field(nullable=True)
    ngrams: T.IntegerType = pa.Field(nullable=True)
    n: T.IntegerType = pa.Field(nullable=True)


class Audit(pa.DataFrameModel):
    """One row a check of the published splits: what was found, what is allowed (null: any), and whether it passed."""

    run_id: T.StringType = pa.Field(nullable=True)
    check: T.StringType = pa.Field(nullable=True)
    found: T.LongType = pa.Field(nullable=True)
    allowed: T.LongType = pa.Field(nullable=True)
    passed: T.BooleanType = pa.Field(nullable=True)


class SemanticPairs(pa.DataFrameModel):
    """One row a pair of conversations with a high cosine; with `merged` the second was merged into the first."""

    first_id: T.StringType = pa.Field(nullable=True)
    second_id: T.StringType = pa.Field(nullable=True)
    similarity: T.DoubleType = pa.Field(nullable=True)
    merged: T.BooleanType = pa.Field(nullable=True)
    run_id: T.StringType = pa.Field(nullable=True)


class Embeddings(pa.DataFrameModel):
    """One row a text that a model has embedded: `content` is a hash of model and text, the vector has length one."""

    content: T.StringType = pa.Field(nullable=True)
    vector: T.ArrayType(T.FloatType()) = pa.Field(nullable=True)


class Topics(pa.DataFrameModel):
    """The topic model (see topics.store): one row a topic (`part` topic) and one a term that it knows (`part` term)."""

    part: T.StringType = pa.Field(nullable=True)
    position: T.IntegerType = pa.Field(nullable=True)
    text: T.StringType = pa.Field(nullable=True)
    weight: T.DoubleType = pa.Field(nullable=True)
    size: T.LongType = pa.Field(nullable=True)
    vector: T.ArrayType(T.FloatType()) = pa.Field(nullable=True)
    characters: T.IntegerType = pa.Field(nullable=True)
    config_hash: T.StringType = pa.Field(nullable=True)


class ConversationTopics(pa.DataFrameModel):
    """The topic of each conversation (-1: none) and its cosine similarity to the topic's centre, 0 to 1."""

    conversation_id: T.StringType = pa.Field(nullable=True)
    topic: T.IntegerType = pa.Field(nullable=True)
    similarity: T.DoubleType = pa.Field(nullable=True)


class Runs(pa.DataFrameModel):
    """The journal of runs (see tables.runs): one row a numbered entry, with its payload as JSON."""

    run_id: T.StringType = pa.Field(nullable=True)
    sequence: T.LongType = pa.Field(nullable=True)
    holder: T.StringType = pa.Field(nullable=True)
    step: T.StringType = pa.Field(nullable=True)
    entry: T.StringType = pa.Field(nullable=True)
    payload: T.StringType = pa.Field(nullable=True)
    recorded_at: T.TimestampType = pa.Field(nullable=True)


class Signatures(pa.DataFrameModel):
    """One row a conversation that was compared: MinHash band keys (64 bits each, little-endian) of its compared text.

    `content` is a hash of that text and `recipe` one of the settings: a later run reuses the row while both are the
    same. `label` is the conversation's place in the order of keeping, `hashed` whether this run computed the row.
    """

    label: T.StringType = pa.Field(nullable=True)
    conversation_id: T.StringType = pa.Field(nullable=True)
    content: T.LongType = pa.Field(nullable=True)
    recipe: T.StringType = pa.Field(nullable=True)
    shingles: T.IntegerType = pa.Field(nullable=True)
    bands: T.BinaryType = pa.Field(nullable=True)
    hashed: T.BooleanType = pa.Field(nullable=True)


class Pairs(pa.DataFrameModel):
    """One row a verified pair of near duplicates: the evidence for what was merged, and for groups that were joined.

    The first is the better of the two (see `relate.labels`); with `merged` the second was merged into it.
    `joined_group` is the earliest group that hangs together with both.
    """

    first_id: T.StringType = pa.Field(nullable=True)
    second_id: T.StringType = pa.Field(nullable=True)
    similarity: T.DoubleType = pa.Field(nullable=True)
    merged: T.BooleanType = pa.Field(nullable=True)
    first_group: T.StringType = pa.Field(nullable=True)
    second_group: T.StringType = pa.Field(nullable=True)
    joined_group: T.StringType = pa.Field(nullable=True)
    run_id: T.StringType = pa.Field(nullable=True)


class Measured(pa.DataFrameModel):
    """What a fine-tuning job measured at a step: losses in nats a token, accuracies as shares."""

    run_id: T.StringType = pa.Field(nullable=True)
    job_id: T.StringType = pa.Field(nullable=True)
    created_at: T.TimestampType = pa.Field(nullable=True)
    step: T.LongType = pa.Field(nullable=True)
    train_loss: T.DoubleType = pa.Field(nullable=True)
    train_accuracy: T.DoubleType = pa.Field(nullable=True)
    valid_loss: T.DoubleType = pa.Field(nullable=True)
    valid_accuracy: T.DoubleType = pa.Field(nullable=True)
    full_valid_loss: T.DoubleType = pa.Field(nullable=True)
    full_valid_accuracy: T.DoubleType = pa.Field(nullable=True)


class RunEvents(Measured):
    """One row an event of a job (`origin` is `event`) or a row of its result file (`origin` is `result_file`)."""

    origin: T.StringType = pa.Field(nullable=True)
    event_id: T.StringType = pa.Field(nullable=True)
    level: T.StringType = pa.Field(nullable=True)
    message: T.StringType = pa.Field(nullable=True)


class Checkpoints(Measured):
    """One row a checkpoint of a job; `model` is the name under which it can be deployed."""

    checkpoint_id: T.StringType = pa.Field(nullable=True)
    model: T.StringType = pa.Field(nullable=True)


class Answers(pa.DataFrameModel):
    """One row an answer of a model; `key` is the SHA-256 of the request, `error` the code of a failed one."""

    run_id: T.StringType = pa.Field(nullable=True)
    key: T.StringType = pa.Field(nullable=True)
    role: T.StringType = pa.Field(nullable=True)
    model: T.StringType = pa.Field(nullable=True)
    text: T.StringType = pa.Field(nullable=True)
    tool_calls: T.ArrayType(TOOL_CALL) = pa.Field(nullable=True)
    finish_reason: T.StringType = pa.Field(nullable=True)
    error: T.StringType = pa.Field(nullable=True)
    billed: T.BooleanType = pa.Field(nullable=True)
    prompt_tokens: T.LongType = pa.Field(nullable=True)
    completion_tokens: T.LongType = pa.Field(nullable=True)
    seconds: T.DoubleType = pa.Field(nullable=True)
    fingerprint: T.StringType = pa.Field(nullable=True)
    answered_at: T.TimestampType = pa.Field(nullable=True)


class Scores(pa.DataFrameModel):
    """One row an item (the reference is the example's message at that index) and metric, with both answers' keys."""

    run_id: T.StringType = pa.Field(nullable=True)
    evaluation_id: T.StringType = pa.Field(nullable=True)
    conversation_id: T.StringType = pa.Field(nullable=True)
    window: T.IntegerType = pa.Field(nullable=True)
    message: T.IntegerType = pa.Field(nullable=True)
    group_key: T.StringType = pa.Field(nullable=True)
    metric: T.StringType = pa.Field(nullable=True)
    base: T.DoubleType = pa.Field(nullable=True)
    tuned: T.DoubleType = pa.Field(nullable=True)
    base_answer: T.StringType = pa.Field(nullable=True)
    tuned_answer: T.StringType = pa.Field(nullable=True)
    suite: T.StringType = pa.Field(nullable=True)


class Profile(pa.DataFrameModel):
    """One row a turn of the sample, or a whole conversation (role `conversation`, turn null), as the rules see it.

    `values` are its measures by name, `found` the rules about replies that find something, `text` an excerpt without
    personal data, `signature` that of a reply for counting canned ones.
    """

    conversation_id: T.StringType = pa.Field(nullable=True)
    turn: T.IntegerType = pa.Field(nullable=True)
    role: T.StringType = pa.Field(nullable=True)
    text: T.StringType = pa.Field(nullable=True)
    values: T.MapType(T.StringType(), T.DoubleType()) = pa.Field(nullable=True)
    found: _STRINGS = pa.Field(nullable=True)
    signature: T.StringType = pa.Field(nullable=True)


CONTRACTS: dict[str, type[pa.DataFrameModel]] = {
    names.ANNOTATED: Annotated,
    names.EXAMPLES: Examples,
    names.QUARANTINE: Quarantine,
    names.LEDGER: Ledger,
    names.SIGNATURES: Signatures,
    names.PAIRS: Pairs,
    names.ASSIGNMENTS: Assignments,
    names.CONTAMINATION: Contamination,
    names.AUDIT: Audit,
    names.SEMANTIC_PAIRS: SemanticPairs,
    names.EMBEDDINGS: Embeddings,
    names.TOPICS: Topics,
    names.CONVERSATION_TOPICS: ConversationTopics,
    names.RUNS: Runs,
    names.RUN_EVENTS: RunEvents,
    names.CHECKPOINTS: Checkpoints,
    names.ANSWERS: Answers,
    names.SCORES: Scores,
    names.PROFILE: Profile,
}


def checked(frame: DataFrame, table: str) -> DataFrame:
    """Return the frame when its columns fit the table's contract (names, types; further columns are allowed).

    Raises InputError that lists every column that is missing or has another type.
    """
    model = CONTRACTS[table]
    missing = [name for name in model.to_schema().columns if name not in frame.columns]
    with config_context(validation_depth=ValidationDepth.SCHEMA_ONLY):
        # With every column present pandera has no need to show rows in its messages, which it does for missing ones.
        errors = {} if missing else dict(model.validate(frame).pandera.errors)
    wrong = [str(item["column"]) for group in errors.get("SCHEMA", {}).values() for item in group]
    if missing or wrong:
        found = ", ".join(f"{name} {kind}" for name, kind in frame.dtypes if name in wrong)
        raise InputError(
            f"Table {table} breaks its contract: missing columns {missing or 'none'}; other types: {found or 'none'}. "
            f"It was written by another version or changed by hand: move it away and run the step that writes it again."
        )
    return frame
