"""How a command ends when something is wrong: one message, one exit code, a trace only on request."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from finelake.errors import FinelakeError

TRACE_VARIABLE = "FINELAKE_TRACE"


@contextmanager
def explained_exit() -> Iterator[None]:
    """Turn an exception into a message on standard error and an exit code; `FINELAKE_TRACE=1` adds the trace."""
    try:
        yield
    except FinelakeError as error:
        _tell(type(error).__name__, str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _tell("Interrupted", "Stopped. Run the same command again to go on.")
        sys.exit(130)
    except Exception as error:
        # An unforeseen message may quote data, so only its kind is shown.
        condition = getattr(error, "getCondition", lambda: None)() or ""
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{os.path.basename(place.filename)}:{place.lineno}"
        _tell(
            type(error).__name__,
            f"Unexpected {type(error).__name__} {condition} at {where}. This is a defect of finelake or of the machine: "
            f"run again with {TRACE_VARIABLE}=1 to see the whole trace (it may quote data), and report it.",
        )
        sys.exit(1)


def _tell(kind: str, message: str) -> None:
    if os.environ.get(TRACE_VARIABLE):
        traceback.print_exc()
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps({"error": {"kind": kind, "message": message}}, ensure_ascii=False) + "\n")
    sys.stderr.write(f"finelake: {message}\n")
