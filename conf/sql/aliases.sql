-- What each alias stands for now, and how often it was moved. Parameter: aliases (table).
SELECT
  project,
  alias,
  max_by(deployment, sequence) AS deployment,
  max_by(model, sequence) AS model,
  max_by(run_id, sequence) AS run_id,
  max_by(verdict, sequence) AS verdict,
  max_by(action, sequence) AS last_action,
  max_by(reason, sequence) AS reason,
  max(recorded_at) AS since,
  count(*) AS changes,
  count_if(action = 'rollback') AS rollbacks
FROM IDENTIFIER(:aliases)
GROUP BY project, alias
ORDER BY project, alias
