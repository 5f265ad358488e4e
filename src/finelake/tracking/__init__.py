"""Training runs in MLflow: the same finelake run is always the same MLflow run, and nothing is written twice."""
