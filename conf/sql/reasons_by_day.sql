-- What each rule did, one row a curation and reason code: conversations, or raw rows that belong to none.
-- Parameter: runs (table).
WITH ruled AS (
  SELECT
    recorded_at,
    get_json_object(payload, '$.run_id') AS run_id,
    from_json(get_json_object(payload, '$.rules'), 'map<string, struct<action: string, count: bigint>>') AS rules
  FROM IDENTIFIER(:runs)
  WHERE step = 'curation' AND entry = 'result'
)
SELECT
  to_date(recorded_at) AS day,
  recorded_at,
  run_id,
  reason,
  rule.action AS action,
  rule.count AS conversations
FROM ruled
LATERAL VIEW explode(rules) AS reason, rule
ORDER BY recorded_at, reason
