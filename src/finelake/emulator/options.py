"""What can be set when the service starts. All waits are seconds on the service's own clock."""

from __future__ import annotations

from dataclasses import dataclass, fields

from finelake.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class EmulatorOptions:
    """Hold the waits and limits of the service.

    `speed` runs the service's clock that many times faster than the wall clock, so that a day's expiry can be seen
    in a minute. `training_seconds` is the least time a job trains; a big file may take longer. `quota` is in
    thousands of tokens a minute for each pair of SKU and base model. `fault_rate` is the share of requests that meet
    a fault of the schedule `fault_seed`, up to `fault_limit` faults. After
    `idle_seconds` of wall time without a request or a job the service ends; 0 is never.
    """

    speed: float = 1.0
    file_seconds: float = 2.0
    queue_seconds: float = 1.0
    training_seconds: float = 10.0
    deployment_seconds: float = 4.0
    readiness_seconds: float = 5.0
    developer_seconds: float = 24 * 3600.0
    inactive_seconds: float = 15 * 24 * 3600.0
    quota: int = 1000
    fault_rate: float = 0.0
    fault_seed: int = 0
    fault_limit: int = 50
    idle_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Raise ConfigError when a number is negative or the speed is not above zero."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 0 or (value == 0 and field.name in {"speed", "quota"}):
                least = "above 0" if field.name in {"speed", "quota"} else "0 or more"
                raise ConfigError(f"emulator option {field.name} is {value}; give a number that is {least}.")
