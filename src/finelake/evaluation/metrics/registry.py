"""The metrics that an evaluation measures: the built-in families, then those that the user names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from finelake.errors import ConfigError
from finelake.evaluation.metrics import calls, language, matching, refusal, similarity, size, validity
from finelake.evaluation.metrics.metric import Metric
from finelake.evaluation.metrics.user import load_metric

_FAMILIES = (similarity, matching, calls, validity, refusal, language, size)

BUILT_IN: Mapping[str, Metric] = {metric.name: metric for family in _FAMILIES for metric in family.METRICS}


def metrics_of(named: Iterable[str] = ()) -> dict[str, Metric]:
    """Give the built-in metrics and the user's, by name, in the order in which they are shown.

    `named` are `module:attribute` or names of entry points of the group `finelake.metrics`. Raises ConfigError when
    one cannot be loaded, or has a name that is taken.
    """
    found = dict(BUILT_IN)
    for name in named:
        metric = load_metric(name)
        if metric.name in found:
            raise ConfigError(
                f"evaluation.metrics: {name} declares a metric named {metric.name!r}, which is there already. "
                f"Give it another name."
            )
        found[metric.name] = metric
    return found


def find(metrics: Mapping[str, Metric], name: str, *, key: str) -> Metric:
    """Give a metric by name; raises ConfigError, with `key` of the settings, when there is none."""
    if name not in metrics:
        raise ConfigError(f"{key} names the metric {name!r}. Expected one of: {', '.join(metrics)}.")
    return metrics[name]
