"""Tables that say why: pairs of duplicates, pins of splits, contamination, the audit, the profile."""

from __future__ import annotations

import pandera.pyspark as pa
import pyspark.sql.types as T

from finelake.tables.schemas.structs import STRINGS


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
    `joined_group` is the earliest group that hangs together with both. A pair whose conversations were both merged into
    others is not kept.
    """

    first_id: T.StringType = pa.Field(nullable=True)
    second_id: T.StringType = pa.Field(nullable=True)
    similarity: T.DoubleType = pa.Field(nullable=True)
    merged: T.BooleanType = pa.Field(nullable=True)
    first_group: T.StringType = pa.Field(nullable=True)
    second_group: T.StringType = pa.Field(nullable=True)
    joined_group: T.StringType = pa.Field(nullable=True)
    run_id: T.StringType = pa.Field(nullable=True)


class SemanticPairs(pa.DataFrameModel):
    """One row a pair of conversations with a high cosine; with `merged` the second was merged into the first."""

    first_id: T.StringType = pa.Field(nullable=True)
    second_id: T.StringType = pa.Field(nullable=True)
    similarity: T.DoubleType = pa.Field(nullable=True)
    merged: T.BooleanType = pa.Field(nullable=True)
    run_id: T.StringType = pa.Field(nullable=True)


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
    found: STRINGS = pa.Field(nullable=True)
    signature: T.StringType = pa.Field(nullable=True)
