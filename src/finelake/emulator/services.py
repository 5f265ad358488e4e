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
from finelake.emulator.idleness import Idleness
from finelake.emulator.jobs import JobService
from finelake.emulator.ledger import JobLedger
from finelake.emulator.options import EmulatorOptions
from finelake.emulator.registry import ModelRegistry
from finelake.emulator.state import Store
from finelake.emulator.trainers import Trainers
from finelake.emulator.training import Trainer
from finelake.emulator.transformer.chat import TransformerChat
from finelake.emulator.transformer.hosting import ChatServers
from finelake.emulator.transformer.models import MODELS_FILE, LocalModels
from finelake.emulator.transformer.trainer import TransformersTrainer
from finelake.emulator.transformer.weights import WeightFinder
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
    idleness: Idleness


def build_services(state_folder: Path, options: EmulatorOptions) -> Services:
    """Open the state folder and build the services on it; starts no thread."""
    state_folder.mkdir(parents=True, exist_ok=True)
    store = Store(state_folder / "state.sqlite")
    clock = Clock(store, speed=options.speed)
    stopping = threading.Event()
    files = FileService(store=store, clock=clock, folder=state_folder / "files", options=options)
    models = ModelRegistry(store, LocalModels(state_folder / MODELS_FILE))
    jobs = JobService(store=store, clock=clock, files=files, models=models, folder=state_folder / "jobs")
    ledger = JobLedger(store=store, clock=clock, jobs=jobs, files=files)
    trainer = Trainers(
        models=models,
        rehearsal=Trainer(
            store=store,
            clock=clock,
            jobs=jobs,
            models=models,
            ledger=ledger,
            training_seconds=options.training_seconds,
            stopping=stopping,
        ),
        transformers=TransformersTrainer(
            store=store,
            clock=clock,
            jobs=jobs,
            models=models,
            ledger=ledger,
            locks=state_folder / "processes",
            stopping=stopping,
        ),
    )
    servers = ChatServers(state_folder / "servers")
    transformer = TransformerChat(
        clock=clock,
        weights=WeightFinder(jobs=jobs, models=models),
        servers=servers,
        merge_folder=state_folder / "merged",
    )
    idleness = Idleness(store, seconds=options.idle_seconds)
    return Services(
        store=store,
        clock=clock,
        files=files,
        uploads=UploadService(store=store, clock=clock, files=files, folder=state_folder / "uploads"),
        models=models,
        jobs=jobs,
        deployments=DeploymentService(store=store, clock=clock, models=models, options=options),
        chat=ChatService(clock=clock, jobs=jobs, models=models, transformer=transformer),
        capacity=CapacityMeter(clock),
        worker=Worker(
            store=store,
            clock=clock,
            files=files,
            jobs=jobs,
            trainer=trainer,
            servers=servers,
            idleness=idleness,
            queue_seconds=options.queue_seconds,
            stopping=stopping,
        ),
        faults=FaultPlan(seed=options.fault_seed, rate=options.fault_rate, limit=options.fault_limit),
        idleness=idleness,
    )
