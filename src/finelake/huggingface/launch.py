"""Several training processes, started by Spark's TorchDistributor: on this machine, or as tasks of the cluster."""

from __future__ import annotations

from finelake.config.session import SessionSettings
from finelake.errors import EnvironmentProblem
from finelake.huggingface.folder import JobFolder
from finelake.huggingface.job import Job
from finelake.huggingface.worker import work
from finelake.session import spark_session


def launch(place: JobFolder, job: Job) -> None:
    """Run the job's processes and wait for them; the first writes result.json.

    Uses the Spark session that is there, or starts a local one. Raises EnvironmentProblem where the processes end
    without a result.
    """
    import torch
    from pyspark.ml.torch.distributor import TorchDistributor

    spark = spark_session(SessionSettings(cores=job.processes, memory="1g"), app_name="finelake-train")
    on_node = job.spread == "node"
    # A driver without a GPU still sees whether the cluster gives its tasks some.
    per_task = spark.conf.get("spark.task.resource.gpu.amount", "0") or "0"
    distributor = TorchDistributor(
        num_processes=job.processes,
        local_mode=on_node,
        use_gpu=torch.cuda.is_available() if on_node else int(per_task) > 0,
    )
    try:
        distributor.run(work, str(place.path.absolute()))
    except RuntimeError as error:
        if place.read_result() is None:
            raise EnvironmentProblem(
                f"A training process of {place.path} ended without a result ({type(error).__name__}): it was killed, "
                "or the machine is short of memory. Start the same job again; it goes on from its last checkpoint."
            ) from None
