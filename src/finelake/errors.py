"""The error family. Every error says what was found, where, what was expected and what to do."""

from __future__ import annotations

from typing import ClassVar


class FinelakeError(Exception):
    """Base of every error that finelake raises on purpose; `exit_code` is the command's exit status."""

    exit_code: ClassVar[int] = 1


class ConfigError(FinelakeError, ValueError):
    """Raised when a configuration file or option is wrong; names file, key, value and what is allowed."""

    exit_code = 2


class InputError(FinelakeError, ValueError):
    """Raised when what a step reads is missing, breaks its contract, or leaves too little to go on."""

    exit_code = 3


class OutputError(FinelakeError, OSError):
    """Raised when a table, file or folder cannot be written."""

    exit_code = 4


class ServiceError(FinelakeError):
    """Raised when the fine-tuning service refuses, fails, or cannot be reached."""

    exit_code = 5


class EnvironmentProblem(FinelakeError, RuntimeError):
    """Raised when the machine lacks something: Java, Spark, a package, a free port."""

    exit_code = 6


class BalanceError(FinelakeError):
    """Raised when the rows that went in and the outcomes that came out do not add up."""

    exit_code = 7


class RunBusyError(FinelakeError):
    """Raised when another driver works on the run, or has taken it over: this one must not act."""

    exit_code = 8


class LeakageError(FinelakeError):
    """Raised when the audit of the splits finds something that is in two of them."""

    exit_code = 9


class PlanRefusedError(FinelakeError):
    """Raised before anything is spent when the plan of a job breaches a limit, or its data are known to fail."""

    exit_code = 12


class PromotionRefusedError(FinelakeError):
    """Raised when a model shall be promoted whose evaluation does not say so, and no reason is given."""

    exit_code = 13


class NotReproducedError(FinelakeError):
    """Raised when the files of a run cannot be rebuilt; where they were and differ, the exit code is the same."""

    exit_code = 14


class ErasedMeanwhileError(FinelakeError):
    """Raised when conversations were erased while a curation ran that had read them: the next one is without them."""

    exit_code = 15
