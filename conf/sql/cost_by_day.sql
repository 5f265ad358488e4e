-- Tokens and money by model and day: training jobs as planned before and as billed after, evaluations as billed.
-- Parameter: runs (table). Money is null where no price was configured or known; `least` and `most` differ where the
-- service chooses the number of epochs.
WITH results AS (
  SELECT run_id, step, payload, recorded_at
  FROM IDENTIFIER(:runs)
  WHERE entry = 'result'
),
models AS (
  SELECT run_id, get_json_object(payload, '$.model') AS model
  FROM results
  WHERE step = 'origin'
),
planned AS (
  -- price: the least amount, the most where it differs, the currency, and the date of the source
  SELECT run_id, from_json(get_json_object(payload, '$.price'), 'array<string>') AS price
  FROM results
  WHERE step = 'plan'
),
training AS (
  SELECT
    watch.recorded_at,
    'training' AS what,
    models.model,
    watch.run_id,
    CAST(get_json_object(watch.payload, '$.trained_tokens') AS BIGINT) AS tokens,
    CAST(try_element_at(price, 1) AS DOUBLE) AS least,
    CAST(try_element_at(price, -3) AS DOUBLE) AS most,
    try_element_at(price, -2) AS currency
  FROM results AS watch
  LEFT JOIN models ON models.run_id = watch.run_id
  LEFT JOIN planned ON planned.run_id = watch.run_id
  WHERE watch.step = 'watch'
),
evaluation AS (
  SELECT
    found.recorded_at,
    'evaluation' AS what,
    models.model,
    get_json_object(found.payload, '$.run_id') AS run_id,
    CAST(get_json_object(found.payload, '$.spent.tokens') AS BIGINT) AS tokens,
    CAST(get_json_object(found.payload, '$.spent.cost') AS DOUBLE) AS least,
    CAST(get_json_object(found.payload, '$.spent.cost') AS DOUBLE) AS most,
    get_json_object(found.payload, '$.spent.currency') AS currency
  FROM results AS found
  LEFT JOIN models ON models.run_id = get_json_object(found.payload, '$.run_id')
  WHERE found.step LIKE 'evaluation.%'
)
SELECT
  to_date(recorded_at) AS day,
  what,
  model,
  currency,
  count(*) AS runs,
  sum(tokens) AS tokens,
  round(sum(least), 4) AS least,
  round(sum(most), 4) AS most
FROM (SELECT * FROM training UNION ALL SELECT * FROM evaluation)
GROUP BY to_date(recorded_at), what, model, currency
ORDER BY day, what, model
