"""Tables of a curation: conversations as the Python pass leaves them, examples, quarantine, ledger, journal."""

from __future__ import annotations

import pandera.pyspark as pa
import pyspark.sql.types as T

from finelake.tables.schemas.structs import DECISION, DQX_RESULT, INTS, MESSAGE, METADATA, STRINGS, WINDOW


class Described(pa.DataFrameModel):
    """What is known of a conversation beside its turns; shared by annotated and examples."""

    conversation_id: T.StringType = pa.Field(nullable=True)
    rows_in: T.LongType = pa.Field(nullable=True)
    user_id: T.StringType = pa.Field(nullable=True)
    agent_ids: STRINGS = pa.Field(nullable=True)
    origins: STRINGS = pa.Field(nullable=True)
    language: T.StringType = pa.Field(nullable=True)
    metadata: METADATA = pa.Field(nullable=True)
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
    `compared` is the text that near duplicates are compared by, `rows_hash` stands for the raw rows (see
    conversations.fingerprint).
    """

    rows_hash: T.LongType = pa.Field(nullable=True)

    windows: T.ArrayType(WINDOW) = pa.Field(nullable=True)
    window_tokens: T.LongType = pa.Field(nullable=True)
    window_replies: T.IntegerType = pa.Field(nullable=True)
    last_tokens: T.LongType = pa.Field(nullable=True)
    last_replies: T.IntegerType = pa.Field(nullable=True)
    compared: T.StringType = pa.Field(nullable=True)
    reasons: STRINGS = pa.Field(nullable=True)
    decisions: T.ArrayType(DECISION) = pa.Field(nullable=True)
    payload: T.StringType = pa.Field(nullable=True)


class Increments(pa.DataFrameModel):
    """One row a version of the table `annotated` that a curation finished, and what it was made of.

    `source` and `annotated` name a table by Delta's id and version, `recipe` hashes whatever else decides the pass but
    the canned replies, which grow with the table; `columns` gives the types of the mapped columns as JSON. `way` is
    `full`, `feed` or `compare`; `rebuilt` and `gone` count conversations.
    """

    run_id: T.StringType = pa.Field(nullable=True)
    source_id: T.StringType = pa.Field(nullable=True)
    source_version: T.LongType = pa.Field(nullable=True)
    annotated_id: T.StringType = pa.Field(nullable=True)
    annotated_version: T.LongType = pa.Field(nullable=True)
    recipe: T.StringType = pa.Field(nullable=True)
    columns: T.StringType = pa.Field(nullable=True)
    canned: STRINGS = pa.Field(nullable=True)
    way: T.StringType = pa.Field(nullable=True)
    rebuilt: T.LongType = pa.Field(nullable=True)
    gone: T.LongType = pa.Field(nullable=True)
    recorded_at: T.TimestampType = pa.Field(nullable=True)


class Erasures(pa.DataFrameModel):
    """One row a conversation and entry of an erasure request (see erasure.requests): hashes of ids, no id."""

    request: T.StringType = pa.Field(nullable=True)
    subject: T.StringType = pa.Field(nullable=True)
    reference: T.StringType = pa.Field(nullable=True)
    entry: T.StringType = pa.Field(nullable=True)
    payload: T.StringType = pa.Field(nullable=True)
    recorded_at: T.TimestampType = pa.Field(nullable=True)


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
    reasons: STRINGS = pa.Field(nullable=True)
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
    turns: INTS = pa.Field(nullable=True)
    rows: T.LongType = pa.Field(nullable=True)
    value: T.StringType = pa.Field(nullable=True)
    threshold: T.StringType = pa.Field(nullable=True)
    kept_id: T.StringType = pa.Field(nullable=True)
    rule_fingerprint: T.StringType = pa.Field(nullable=True)


class Runs(pa.DataFrameModel):
    """The journal of runs (see tables.runs): one row a numbered entry, with its payload as JSON."""

    run_id: T.StringType = pa.Field(nullable=True)
    sequence: T.LongType = pa.Field(nullable=True)
    holder: T.StringType = pa.Field(nullable=True)
    step: T.StringType = pa.Field(nullable=True)
    entry: T.StringType = pa.Field(nullable=True)
    payload: T.StringType = pa.Field(nullable=True)
    recorded_at: T.TimestampType = pa.Field(nullable=True)
