-- Curations whose share of rows that were not kept stands out from the trailing mean of the runs before it.
-- Parameters: runs (table), trailing (how many runs before), deviations (number), margin (share of rows).
-- At least three runs must have come before.
-- A row is an alarm where `alarm` is true: above mean + deviations x standard deviation, and above mean + margin.
WITH rates AS (
  SELECT
    recorded_at,
    get_json_object(payload, '$.run_id') AS run_id,
    get_json_object(payload, '$.source.table') AS source,
    CAST(get_json_object(payload, '$.balance.rows_in') AS BIGINT) AS rows_in,
    CAST(get_json_object(payload, '$.balance.rows_kept') AS BIGINT) AS rows_kept
  FROM IDENTIFIER(:runs)
  WHERE step = 'curation' AND entry = 'result'
),
dropped AS (
  SELECT
    *,
    try_divide(rows_in - rows_kept, rows_in) AS drop_rate,
    row_number() OVER (PARTITION BY source ORDER BY recorded_at, run_id) AS nth
  FROM rates
),
compared AS (
  SELECT
    new.recorded_at,
    new.run_id,
    new.source,
    new.rows_in,
    new.drop_rate,
    count(old.drop_rate) AS runs_before,
    avg(old.drop_rate) AS trailing_mean,
    stddev_samp(old.drop_rate) AS trailing_deviation
  FROM dropped AS new
  LEFT JOIN dropped AS old
    ON old.source = new.source AND old.nth < new.nth AND old.nth >= new.nth - :trailing
  GROUP BY new.recorded_at, new.run_id, new.source, new.rows_in, new.drop_rate
)
SELECT
  to_date(recorded_at) AS day,
  recorded_at,
  run_id,
  source,
  rows_in,
  round(drop_rate, 6) AS drop_rate,
  round(trailing_mean, 6) AS trailing_mean,
  round(trailing_deviation, 6) AS trailing_deviation,
  runs_before,
  runs_before >= 3
    AND drop_rate > trailing_mean + :deviations * trailing_deviation
    AND drop_rate > trailing_mean + :margin AS alarm
FROM compared
ORDER BY recorded_at, run_id
