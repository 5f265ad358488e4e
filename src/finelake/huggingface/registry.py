"""Versions of a registered model, found again by what they were made of.

Tags of a version: `finelake_weights` is the SHA-256 of its weights, and for each deployed model that has these weights
one `finelake_model_...` with its name. Keys have no dots: Unity Catalog takes none.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from typing import Any

from finelake.config.tracking import Tracking
from finelake.errors import EnvironmentProblem, ServiceError
from finelake.tracking.store import tracking_place

WEIGHTS = "finelake_weights"

_CATALOG_DOTS = 2
_UNITY_CATALOG = "databricks-uc"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a registered model, and where it came from."""

    name: str
    version: str
    model_uri: str

    def as_record(self) -> dict[str, str]:
        """Give it as it is recorded."""
        return asdict(self)


def base_name(registered_as: str) -> str:
    """Name the registered model that keeps the base of a tuned one."""
    return f"{registered_as}_base"


def model_tag(model: str) -> str:
    """Give the key of the tag that holds a deployed model's name."""
    return f"finelake_model_{hashlib.sha256(model.encode()).hexdigest()[:16]}"


def registry_of(name: str) -> str | None:
    """Give the registry of a name: Unity Catalog for `catalog.schema.name`, None for the tracking server's own."""
    return _UNITY_CATALOG if name.count(".") == _CATALOG_DOTS else None


def registry_client(tracking: Tracking, name: str) -> Any:
    """Make the client of the registry that keeps a name. Raises EnvironmentProblem without MLflow."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        from mlflow import MlflowClient
    except ImportError:
        raise EnvironmentProblem("Registered models need MLflow. Run pip install 'finelake[mlflow]'.") from None
    uri = tracking_place(tracking)[0]
    return MlflowClient(tracking_uri=uri, registry_uri=registry_of(name) or uri)


def find_tagged(client: Any, name: str, key: str, value: str) -> Version | None:
    """Find the newest version of a name with a tag; None where there is none, or no such name."""
    from mlflow.exceptions import MlflowException

    try:
        versions = list(client.search_model_versions(f"name = '{name}'"))
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    for version in sorted(versions, key=lambda one: -int(one.version)):
        # The catalog's search leaves tags out.
        found = client.get_model_version(name, version.version)
        if found.tags.get(key) == value:
            return Version(name, str(found.version), str(found.source))
    return None


def version_of(model: str, *, registered_as: str, tracking: Tracking) -> tuple[str, str] | None:
    """Give the registered model and version of a deployed model's name, a tuned one's or its base's.

    Raises EnvironmentProblem without MLflow, ServiceError where the registry cannot be read.
    """
    client = registry_client(tracking, registered_as)
    from mlflow.exceptions import MlflowException

    try:
        for name in (registered_as, base_name(registered_as)):
            found = find_tagged(client, name, model_tag(model), model)
            if found is not None:
                return found.name, found.version
    except MlflowException as error:
        raise ServiceError(
            f"The registry does not tell the versions of {registered_as} ({error.error_code}). Check the sign-in, and "
            f"EXECUTE on the model with USE on its catalog and schema; then run the same again."
        ) from None
    return None
