"""Whether and where training runs are tracked with MLflow."""

from __future__ import annotations

from finelake.config.section import Section


class Tracking(Section):
    """MLflow tracking; needs `pip install 'finelake[mlflow]'` (Databricks runtimes for machine learning bring MLflow).

    `uri` is a tracking server or `databricks`; without it a job on Databricks uses the workspace, and elsewhere a
    database in `folder` is used. `experiment` defaults to the project's name, on Databricks under /Shared. With `pages`
    the evaluation's page and model card are kept too: they quote conversations.
    """

    enabled: bool = False
    uri: str | None = None
    folder: str = ".finelake/mlflow"
    experiment: str | None = None
    pages: bool = False
