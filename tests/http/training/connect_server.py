"""A Spark Connect server in a process of its own, so that drivers that are killed are light clients.

Run as `python -m tests.http.training.connect_server ADDRESS_FILE WAREHOUSE`; it ends when its input is closed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.http.training.setting import ROOT, driver_environment

from finelake.config.settings import SessionSettings
from finelake.session import spark_session

_START_SECONDS = 180.0


@contextmanager
def connect_server(folder: Path) -> Iterator[str]:
    """Run a server for the length of a block and give its address."""
    folder.mkdir()
    ready = folder / "address"
    arguments = [sys.executable, "-m", "tests.http.training.connect_server", str(ready), str(folder / "warehouse")]
    with subprocess.Popen(
        arguments, env=driver_environment(), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("The Spark Connect server did not start.")
                time.sleep(0.1)
            yield ready.read_text(encoding="utf-8")
        finally:
            process.terminate()


def main() -> None:
    """Serve until the input is closed."""
    ready, warehouse = sys.argv[1:]
    settings = SessionSettings(
        mode="connect", remote="local[2]", cores=2, memory="1g", shuffle_partitions=2, warehouse=warehouse
    )
    spark = spark_session(settings, app_name="finelake-connect-server")
    port = spark.conf.get("spark.connect.grpc.binding.port")
    part = Path(f"{ready}.part")
    part.write_text(f"sc://127.0.0.1:{port}", encoding="utf-8")
    part.replace(ready)
    sys.stdin.read()


if __name__ == "__main__":
    main()
