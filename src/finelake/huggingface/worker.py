"""One of several training processes, as torchrun starts it: the only argument is the job's folder."""

from __future__ import annotations

import logging
import sys
from pathlib import Path


def main() -> None:
    """Train this process's part; the first writes the result, and one that fails says why before it ends."""
    from finelake.huggingface.folder import JobFolder
    from finelake.huggingface.job import read_job
    from finelake.huggingface.outcome import Recorded

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    place = JobFolder(Path(sys.argv[1]))
    recorded = Recorded(place)
    with recorded:
        import torch.distributed as dist

        from finelake.huggingface.loop import train

        result = train(place, read_job(place.job))
        if dist.get_rank() == 0:
            place.write_result(result)
        dist.destroy_process_group()
    sys.exit(0 if recorded.ended else 1)


if __name__ == "__main__":
    main()
