"""The training process: `python -m finelake.huggingface.train FOLDER`.

Reads FOLDER/job.json and trains. Started again after it was killed, it goes on from the last whole checkpoint and ends
with the weights that an unbroken run gives on the same machine.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from finelake.huggingface.folder import JobFolder
from finelake.huggingface.job import JobError, read_job
from finelake.huggingface.outcome import Recorded, as_command
from finelake.huggingface.preparation import prepare


def run(folder: Path) -> dict[str, Any]:
    """Train the job of a folder and return its result, which is in result.json as well.

    A job that has succeeded is not done again; one that failed or was stopped goes on. Raises RunBusyError when another
    process works in the folder.
    """
    place = JobFolder(folder)
    with place.held():
        before = place.read_result()
        if before is not None and before["status"] == "succeeded":
            return before
        place.result.unlink(missing_ok=True)
        with Recorded(place):
            job = read_job(place.job)
            prepare(place, job)
            if job.processes == 1:
                from finelake.huggingface.loop import train

                place.write_result(train(place, job))
            else:
                from finelake.huggingface.launch import launch

                launch(place, job)
    result = place.read_result()
    if result is None:
        raise JobError("result_missing", f"{folder} has no result.json, although the training has ended.")
    return result


if __name__ == "__main__":
    sys.exit(as_command(run))
