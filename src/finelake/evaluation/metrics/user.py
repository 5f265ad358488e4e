"""The user's own metrics, by `module:attribute` or by entry point of the group `finelake.metrics`.

What is found there is a `Metric`, or a function `Case -> float | None` that then gives the metric its name. They are
trusted code of the user's, as everything on the Python path is.
"""

from __future__ import annotations

import importlib
import math
import re
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any

from finelake.errors import ConfigError
from finelake.evaluation.metrics.case import Case
from finelake.evaluation.metrics.metric import Measure, Metric

GROUP = "finelake.metrics"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_DIGITS = 3
_FAULTS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError)


def load_metric(name: str) -> Metric:
    """Load one metric; its values are checked whenever it measures. Raises ConfigError when that fails."""
    found = _load(name)
    if not isinstance(found, Metric):
        if not callable(found):
            raise ConfigError(f"evaluation.metrics: {name} is no Metric and no function of a Case. Name one of these.")
        own_name = str(getattr(found, "__name__", name.rpartition(":")[2]))
        found = Metric(own_name, own_name.replace("_", " "), _DIGITS, found)
    if not _NAME.fullmatch(found.name):
        raise ConfigError(
            f"evaluation.metrics: {name} is named {found.name!r}. Expected at most 40 lower-case letters, digits and _."
        )
    return replace(found, measure=_checked(found))


def _load(name: str) -> Any:
    module, separator, attribute = name.partition(":")
    try:
        if separator:
            return getattr(importlib.import_module(module), attribute)
        (point,) = entry_points(group=GROUP, name=name)
        return point.load()
    except ValueError:
        known = ", ".join(sorted(entry_points(group=GROUP).names)) or "none"
        raise ConfigError(
            f"evaluation.metrics names {name!r}, which no installed package offers once (group {GROUP}; there are: "
            f"{known}). Install the package, or write module:attribute."
        ) from None
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"evaluation.metrics: {name} cannot be loaded ({type(error).__name__}). Expected a module on the Python "
            f"path and an attribute in it."
        ) from None


def _checked(metric: Metric) -> Measure:
    def measure(case: Case) -> float | None:
        try:
            value = metric.measure(case)
            number = None if value is None else float(value)
        except _FAULTS as error:
            # Its message may quote the answer.
            raise ConfigError(
                f"The metric {metric.name} failed on an answer ({type(error).__name__}). Expected a number or None for "
                f"every case, also for an empty answer and without a reference; correct it."
            ) from None
        if number is not None and (not math.isfinite(number) or (metric.pass_fail and number not in (0.0, 1.0))):
            expected = "0 or 1" if metric.pass_fail else "a finite number"
            raise ConfigError(f"The metric {metric.name} gave {number}. Expected {expected} or None; correct it.")
        return number

    return measure
