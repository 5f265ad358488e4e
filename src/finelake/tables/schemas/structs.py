"""Column types that tables share."""

from __future__ import annotations

import pyspark.sql.types as T

STRINGS = T.ArrayType(T.StringType())
INTS = T.ArrayType(T.IntegerType())
METADATA = T.MapType(T.StringType(), T.StringType())

DECISION = T.StructType(
    [
        T.StructField("step", T.StringType()),
        T.StructField("action", T.StringType()),
        T.StructField("reason", T.StringType()),
        T.StructField("turns", INTS),
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
        T.StructField("columns", STRINGS),
        T.StructField("filter", T.StringType()),
        T.StructField("function", T.StringType()),
        T.StructField("run_time", T.TimestampType()),
        T.StructField("run_id", T.StringType()),
        T.StructField("user_metadata", METADATA),
        T.StructField("rule_fingerprint", T.StringType()),
        T.StructField("rule_set_fingerprint", T.StringType()),
        T.StructField("skipped", T.BooleanType()),
    ]
)
