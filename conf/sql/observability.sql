-- Everything that was measured of every run in one long table: one row a run, measure and label.
-- Parameter: runs (table). Measures: conversations and rows (label: outcome), reason (label: reason code), examples
-- and tokens (label: split), trained_tokens, billed_tokens, cost (label: currency), gain (label: metric), verdict
-- (label: what it said, value 1).
WITH results AS (
  SELECT run_id AS journal, step, payload, recorded_at
  FROM IDENTIFIER(:runs)
  WHERE entry = 'result'
),
curations AS (
  SELECT
    recorded_at,
    get_json_object(payload, '$.run_id') AS run_id,
    from_json(get_json_object(payload, '$.balance'), 'map<string, bigint>') AS balance,
    from_json(get_json_object(payload, '$.rules'), 'map<string, struct<count: bigint>>') AS rules,
    from_json(
      get_json_object(payload, '$.files'), 'map<string, struct<examples: bigint, tokens: bigint>>'
    ) AS files
  FROM results
  WHERE step = 'curation'
),
evaluations AS (
  SELECT
    recorded_at,
    get_json_object(payload, '$.run_id') AS run_id,
    payload,
    get_json_object(payload, '$.gate.metric') AS metric,
    from_json(get_json_object(payload, '$.metrics'), 'map<string, struct<difference: double>>') AS metrics
  FROM results
  WHERE step LIKE 'evaluation.%'
),
measured AS (
  SELECT recorded_at, 'curation' AS kind, run_id, 'conversations' AS measure, outcome AS label,
    CAST(balance[concat('conversations_', outcome)] AS DOUBLE) AS value
  FROM curations LATERAL VIEW explode(array('kept', 'quarantined', 'merged')) AS outcome
  UNION ALL
  SELECT recorded_at, 'curation', run_id, 'rows', outcome, CAST(balance[concat('rows_', outcome)] AS DOUBLE)
  FROM curations LATERAL VIEW explode(array('in', 'kept', 'quarantined', 'merged')) AS outcome
  UNION ALL
  SELECT recorded_at, 'curation', run_id, 'reason', reason, CAST(rule.count AS DOUBLE)
  FROM curations LATERAL VIEW explode(rules) AS reason, rule
  UNION ALL
  SELECT recorded_at, 'curation', run_id, measure, split, amount
  FROM curations
  LATERAL VIEW explode(files) AS split, file
  LATERAL VIEW stack(2, 'examples', CAST(file.examples AS DOUBLE), 'tokens', CAST(file.tokens AS DOUBLE))
    AS measure, amount
  UNION ALL
  SELECT recorded_at, 'training', journal, 'trained_tokens', NULL,
    CAST(get_json_object(payload, '$.trained_tokens') AS DOUBLE)
  FROM results
  WHERE step = 'watch'
  UNION ALL
  SELECT recorded_at, 'evaluation', run_id, 'billed_tokens', NULL,
    CAST(get_json_object(payload, '$.spent.tokens') AS DOUBLE)
  FROM evaluations
  UNION ALL
  SELECT recorded_at, 'evaluation', run_id, 'cost', get_json_object(payload, '$.spent.currency'),
    CAST(get_json_object(payload, '$.spent.cost') AS DOUBLE)
  FROM evaluations
  UNION ALL
  SELECT recorded_at, 'evaluation', run_id, 'gain', metric, metrics[metric].difference
  FROM evaluations
  UNION ALL
  SELECT recorded_at, 'evaluation', run_id, 'verdict', get_json_object(payload, '$.verdict'), 1.0D
  FROM evaluations
)
SELECT to_date(recorded_at) AS day, recorded_at, kind, run_id, measure, label, value
FROM measured
WHERE value IS NOT NULL
ORDER BY recorded_at, kind, run_id, measure, label
