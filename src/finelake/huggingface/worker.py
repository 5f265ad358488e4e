"""One of several training processes, as TorchDistributor starts it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path


def work(folder: str) -> None:
    """Train this process's part of the job in a folder; the first writes the result, one that fails says why.

    Ends the process with status 1 after a failure, so that the others are ended too.
    """
    from finelake.huggingface.folder import JobFolder
    from finelake.huggingface.job import read_job
    from finelake.huggingface.outcome import Recorded

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    place = JobFolder(Path(folder))
    recorded = Recorded(place)
    with recorded:
        import torch.distributed as dist

        from finelake.huggingface.loop import train

        result = train(place, read_job(place.job))
        if dist.get_rank() == 0:
            place.write_result(result)
        dist.destroy_process_group()
    if not recorded.ended:
        sys.exit(1)
