"""What the commands share: options, settings, a session that starts when it is first needed, and output."""

from __future__ import annotations

import functools
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from rich.console import Console, RenderableType

from finelake.cli import render
from finelake.config.catalogue import catalogue_of
from finelake.config.loading import load_settings
from finelake.config.models import ModelInfo
from finelake.config.settings import Settings
from finelake.databricks.volumes import synchronised
from finelake.errors import ConfigError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from finelake.curate import Curation
    from finelake.evaluation.results import Evaluation
    from finelake.training.effects.control import Control
    from finelake.training.outcome import TrainingOutcome

DEFAULT_CONFIG = Path("finelake.yml")


class Context:
    """Settings, session and output of one command."""

    def __init__(self, settings: Settings, *, as_json: bool) -> None:
        self.settings = settings
        self.as_json = as_json
        self.console = Console(stderr=as_json)

    @cached_property
    def spark(self) -> SparkSession:
        """The session; starting one takes some seconds, so commands that need none have none."""
        from finelake.session import spark_session

        return spark_session(self.settings.session, app_name="finelake")

    @property
    def model(self) -> ModelInfo:
        """What the catalogue says of the configured model."""
        return catalogue_of(self.settings).find(self.settings.model)

    @contextmanager
    def files(self) -> Iterator[None]:
        """Work on the files of `output.folder`: where they are in a Volume elsewhere, they are brought and sent back.

        Only commands that read or write them do this: it signs in, needs READ VOLUME and downloads all of them.
        """
        with synchronised(self.settings.output):
            yield

    def curate(self) -> Curation:
        """Curate, showing each step as it runs."""
        from finelake.cli.progress import StepProgress
        from finelake.curate import curate

        with self.files(), StepProgress(self.console) as progress:
            return curate(self.spark, self.settings, observer=progress)

    def train(self, *, take_over: bool = False) -> TrainingOutcome:
        """Train and deploy, with a live display on a terminal and log lines elsewhere."""
        from finelake.training.display.choice import progress_for
        from finelake.training.driver import train

        with self.files(), progress_for(self.console, live=not self.as_json) as progress:
            return train(self.spark, self.settings, progress=progress, take_over=take_over)

    def control(self, control: Control, job: str | None) -> None:
        """Cancel, pause or resume a job and say its state; only a job that is not named is found by the files."""
        from finelake.training.control import control_run

        with self.files() if job is None else nullcontext():
            done = control_run(self.spark, self.settings, control, job_id=job)
        self.show(f"Job {done.job_id} is {done.state}.", render.as_json(done))

    def promote(self, run: str | None, *, override: str | None, remove_previous: bool, take_over: bool = False) -> None:
        """Promote a run's model and say what the alias stands for."""
        from finelake.training.display.choice import progress_for
        from finelake.training.promotion.run import promote

        promotion = self.settings.promotion.with_options(override=override, remove_previous=remove_previous)
        settings = self.settings.model_copy(update={"promotion": promotion})
        with self.files(), progress_for(self.console, live=not self.as_json) as progress:
            done = promote(self.spark, settings, run=run, progress=progress, take_over=take_over)
        self.show(render.promoted(done), {"promote": render.as_json(done)})

    def rollback(self, reason: str | None) -> None:
        """Roll the alias back and say what it stands for."""
        from finelake.training.display.choice import progress_for
        from finelake.training.promotion.run import rollback

        with progress_for(self.console, live=not self.as_json) as progress:
            done = rollback(self.spark, self.settings, reason=reason, progress=progress)
        self.show(render.promoted(done), {"rollback": render.as_json(done)})

    def show_aliases(self) -> None:
        """Show the aliases of the project with their history."""
        from finelake.training.promotion.run import aliases

        found = aliases(self.spark, self.settings)
        self.show(render.aliases(found), [render.as_json(entry) for entry in found])

    def evaluate(self, *, take_over: bool = False) -> Evaluation:
        """Answer and compare, showing how far the answers are."""
        from finelake.cli.progress import answer_progress
        from finelake.evaluation.run import evaluate_run

        with self.files(), answer_progress(self.console) as observer:
            return evaluate_run(self.spark, self.settings, observer=observer, take_over=take_over)

    def run_all(self) -> int:
        """Curate, train, evaluate; gives the verdict's exit code."""
        curation = self.curate()
        self.show_curation(curation)
        outcome = self.train()
        self.show(render.trained(outcome), {"train": render.as_json(outcome)})
        evaluation = self.evaluate()
        self.show(render.compared(evaluation), {"evaluate": evaluation.as_dict()})
        return evaluation.verdict.exit_code

    def show_curation(self, curation: Curation) -> None:
        """Show a curation's counts."""
        self.show(render.curated(curation), {"curate": render.as_json(curation)})

    def show(self, readable: RenderableType, machine: Any) -> None:
        """Print the readable form, or with --json one line of JSON."""
        if self.as_json:
            sys.stdout.write(json.dumps(machine, ensure_ascii=False, default=str) + "\n")
        else:
            self.console.print(readable)

    def exit(self, code: int) -> NoReturn:
        """End the command with an exit code."""
        raise SystemExit(code)


def configured(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options --config, --set, --json and --verbose, and a Context as its first argument."""

    @click.option("--config", type=click.Path(path_type=Path), envvar="FINELAKE_CONFIG", help="Default: finelake.yml")
    @click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one setting.")
    @click.option("--json", "as_json", is_flag=True, help="One line of JSON a result on standard output.")
    @click.option("--verbose", is_flag=True, help="Show log lines of all steps.")
    @functools.wraps(command)
    def wrapped(
        config: Path | None, overrides: tuple[str, ...], as_json: bool, verbose: bool, **arguments: Any
    ) -> None:
        start_logging(verbose=verbose)
        path = config or DEFAULT_CONFIG
        if config is None and not path.exists():
            raise ConfigError(f"No configuration: give --config FILE, or put {DEFAULT_CONFIG} into this folder.")
        settings = load_settings(path, overrides=overrides)
        command(Context(settings, as_json=as_json), **arguments)

    return wrapped


def start_logging(*, verbose: bool) -> None:
    """Send log lines to standard error: finelake's own, others' from warnings on."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("finelake").setLevel(logging.INFO if verbose or not sys.stderr.isatty() else logging.WARNING)
