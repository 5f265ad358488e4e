-- Steps that were begun and have no result: a driver is at work, or was killed; the same command goes on with them.
-- Parameter: runs (table).
WITH steps AS (
  SELECT
    run_id,
    step,
    max(CASE WHEN entry = 'intent' THEN recorded_at END) AS begun_at,
    count_if(entry = 'result') AS results
  FROM IDENTIFIER(:runs)
  WHERE entry IN ('intent', 'result')
  GROUP BY run_id, step
),
signs AS (
  SELECT run_id, max(recorded_at) AS last_sign, max_by(holder, recorded_at) AS holder
  FROM IDENTIFIER(:runs)
  GROUP BY run_id
)
SELECT steps.run_id, steps.step, steps.begun_at, signs.last_sign, signs.holder
FROM steps
JOIN signs ON signs.run_id = steps.run_id
WHERE steps.begun_at IS NOT NULL AND steps.results = 0
ORDER BY steps.begun_at
