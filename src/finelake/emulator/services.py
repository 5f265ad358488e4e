"""All parts of the service, put together once for one state folder."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from finelake.emulator.capacity import CapacityMeter
from finelake.emulator.chat import ChatService
from finelake.emulator.clock import Clock
from finelake.emulator.deployments import DeploymentService
from finelake.emulator.faults import FaultPlan
from finelake.emulator.files import FileService
from finelake.emulator.jobs import JobService
from finelake.emulator.options import EmulatorOptions
from finelake.emulator.registry import ModelRegistry
from finelake.emulator.state import Store
from finelake.emulator.training import Trainer
from finelake.emulator.uploads import UploadService
from finelake.emulator.worker import Worker


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes call."""

    store: Store
    clock: Clock
    files: FileService
    uploads: UploadService
    models: ModelRegistry
    jobs: JobService
    deployments: DeploymentService
    chat: ChatService
    capacity: CapacityMeter
    worker: Worker
    faults: FaultPlan


def build_services(state_folder: Path, options: EmulatorOptions) -> Services:
    """Open the state folder and build the services on it; starts no thread."""
    state_folder.mkdir(parents=True, exist_ok=True)
    store = Store(state_folder / "state.sqlite")
    clock = Clock(store, speed=options.speed)
    stopping = threading.Event()
    files = FileService(store=store, clock=clock, folder=state_folder / "files", options=options)
    models = ModelRegistry(store)
    jobs = JobService(store=store, clock=clock, files=files, models=models, folder=state_folder / "jobs")
    trainer = Trainer(
        store=store,
        clock=clock,
        jobs=jobs,
        files=files,
        models=models,
        training_seconds=options.training_seconds,
        stopping=stopping,
    )
    return Services(
        store=store,
        clock=clock,
        files=files,
        uploads=UploadService(store=store, clock=clock, files=files, folder=state_folder / "uploads"),
        models=models,
        jobs=jobs,
        deployments=DeploymentService(store=store, clock=clock, models=models, options=options),
        chat=ChatService(clock=clock, jobs=jobs, models=models),
        capacity=CapacityMeter(clock),
        worker=Worker(
            store=store,
            clock=clock,
            files=files,
            jobs=jobs,
            trainer=trainer,
            queue_seconds=options.queue_seconds,
            stopping=stopping,
        ),
        faults=FaultPlan(seed=options.fault_seed, rate=options.fault_rate, limit=options.fault_limit),
    )
