-- Conversations and raw rows by outcome, one row a curation and outcome. Parameter: runs (table).
WITH curations AS (
  SELECT recorded_at, payload
  FROM IDENTIFIER(:runs)
  WHERE step = 'curation' AND entry = 'result'
),
counted AS (
  SELECT
    recorded_at,
    get_json_object(payload, '$.run_id') AS run_id,
    get_json_object(payload, '$.source.table') AS source,
    from_json(get_json_object(payload, '$.balance'), 'map<string, bigint>') AS balance
  FROM curations
)
SELECT
  to_date(recorded_at) AS day,
  recorded_at,
  run_id,
  source,
  outcome,
  balance[concat('conversations_', outcome)] AS conversations,
  balance[concat('rows_', outcome)] AS rows,
  round(try_divide(balance[concat('rows_', outcome)], balance['rows_in']), 6) AS share_of_rows
FROM counted
LATERAL VIEW explode(array('kept', 'quarantined', 'merged')) AS outcome
ORDER BY recorded_at, outcome
