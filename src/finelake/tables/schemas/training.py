"""Tables of a training run and of its evaluation."""

from __future__ import annotations

import pandera.pyspark as pa
import pyspark.sql.types as T

from finelake.tables.schemas.structs import TOOL_CALL


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
    """One row an event of a job (`origin` is `event`) or a row of its result file (`origin` is `result_file`).

    `data` is all that the service said of it, as JSON under the service's names (rewards and the like).
    """

    origin: T.StringType = pa.Field(nullable=True)
    event_id: T.StringType = pa.Field(nullable=True)
    level: T.StringType = pa.Field(nullable=True)
    message: T.StringType = pa.Field(nullable=True)
    data: T.StringType = pa.Field(nullable=True)


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


class Aliases(pa.DataFrameModel):
    """One row a change of an alias (see tables.aliases); the highest `sequence` of a project's alias counts."""

    project: T.StringType = pa.Field(nullable=True)
    alias: T.StringType = pa.Field(nullable=True)
    sequence: T.LongType = pa.Field(nullable=True)
    action: T.StringType = pa.Field(nullable=True)
    deployment: T.StringType = pa.Field(nullable=True)
    model: T.StringType = pa.Field(nullable=True)
    sku: T.StringType = pa.Field(nullable=True)
    capacity: T.LongType = pa.Field(nullable=True)
    run_id: T.StringType = pa.Field(nullable=True)
    verdict: T.StringType = pa.Field(nullable=True)
    evaluation_id: T.StringType = pa.Field(nullable=True)
    reason: T.StringType = pa.Field(nullable=True)
    holder: T.StringType = pa.Field(nullable=True)
    recorded_at: T.TimestampType = pa.Field(nullable=True)
