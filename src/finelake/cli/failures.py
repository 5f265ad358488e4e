"""How a command ends when something is wrong: one message, one exit code, a trace only on request."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from finelake.errors import FinelakeError

TRACE_VARIABLE = "FINELAKE_TRACE"
_INTERRUPTED = 130


@contextmanager
def explained_exit() -> Iterator[None]:
    """Turn an exception into a message on standard error and an exit code; `FINELAKE_TRACE=1` adds the trace."""
    sys.excepthook = _tell_unforeseen
    try:
        yield
    except FinelakeError as error:
        _tell(error, str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt as error:
        _tell(error, "Stopped. Run the same command again to go on.")
        sys.exit(_INTERRUPTED)


def _tell_unforeseen(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say what kind of error it was and where; its own message may quote data, so that is left out."""
    condition = getattr(error, "getCondition", lambda: None)()
    named = f"{kind.__name__} ({condition})" if condition else kind.__name__
    place = traceback.extract_tb(trace)[-1]
    where = f"{Path(place.filename).name}, line {place.lineno}"
    _tell(
        error,
        f"Unexpected {named} at {where}. This is a defect of finelake or of the machine: run again with "
        f"{TRACE_VARIABLE}=1 to see the whole trace (it may quote data), and report it.",
    )


def _tell(error: BaseException, message: str) -> None:
    if os.environ.get(TRACE_VARIABLE):
        traceback.print_exception(error)
    if "--json" in sys.argv:
        described = {"kind": type(error).__name__, "message": message}
        sys.stdout.write(json.dumps({"error": described}, ensure_ascii=False) + "\n")
    sys.stderr.write(f"finelake: {message}\n")
