-- What each comparison of a tuned model with its base said, newest first. Parameter: runs (table).
WITH found AS (
  SELECT recorded_at, payload, get_json_object(payload, '$.gate.metric') AS metric
  FROM IDENTIFIER(:runs)
  WHERE entry = 'result' AND step LIKE 'evaluation.%'
),
measured AS (
  SELECT
    recorded_at,
    payload,
    metric,
    from_json(
      get_json_object(payload, '$.metrics'),
      'map<string, struct<base_mean: double, tuned_mean: double, difference: double, items: bigint,
       interval: struct<low: double, high: double>>>'
    )[metric] AS gated
  FROM found
)
SELECT
  to_date(recorded_at) AS day,
  recorded_at,
  get_json_object(payload, '$.run_id') AS run_id,
  get_json_object(payload, '$.evaluation_id') AS evaluation_id,
  get_json_object(payload, '$.verdict') AS verdict,
  get_json_object(payload, '$.answers.tuned.model') AS tuned_model,
  get_json_object(payload, '$.answers.base.model') AS base_model,
  metric,
  gated.base_mean AS base,
  gated.tuned_mean AS tuned,
  gated.difference AS gain,
  gated.interval.low AS gain_low,
  gated.interval.high AS gain_high,
  gated.items AS answers,
  get_json_object(payload, '$.reasons[0]') AS reason
FROM measured
ORDER BY recorded_at DESC, evaluation_id
