"""Token engines: tiktoken as the reference, toktok as the fast one where it proves itself."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, get_args

from finelake.config.models import TEMPLATE, Encoding
from finelake.errors import ConfigError, EnvironmentProblem
from finelake.tokens.selfcheck import failed_probes

logger = logging.getLogger(__name__)

Preference = Literal["auto", "toktok", "tiktoken"]

# tiktoken's pattern for the encodings in use keeps a backtrack entry for each character of a whitespace run and gives
# up at 1,000,000 of them with a Rust panic (measured with 0.14.0: 600,000 pass, 1,000,000 do not).
_RUN_THAT_TIKTOKEN_CANNOT_MATCH = 500_000
_LONG_RUN = re.compile(rf"\s{{{_RUN_THAT_TIKTOKEN_CANNOT_MATCH}}}")


class TokenEngine(Protocol):
    """Counts the tokens of texts in one encoding; special tokens in a text count as the plain text they are."""

    @property
    def name(self) -> str:
        """Name of the engine, as the manifest records it."""

    @property
    def encoding(self) -> str:
        """Name of the encoding, as tiktoken spells it."""

    def count_batch(self, texts: Sequence[str]) -> list[int]:
        """Return one count a text, in order; lone surrogates count as U+FFFD, as in tiktoken."""


EngineFactory = Callable[[str], TokenEngine]


class ToktokEngine:
    """The package toktok-rs: vocabularies compiled in, no network.

    It counts on one thread, because Spark runs one Python worker a core. A run of 1,000,000 equal characters
    takes it at most 0.3 s (measured with 0.3.0).
    """

    name = "toktok"

    def __init__(self, encoding: str) -> None:
        """Raise ImportError where toktok is not installed, ConfigError for an unknown encoding."""
        self.encoding: str = _checked(encoding)
        self._count: Callable[..., list[int]] = importlib.import_module("toktok").batch_count
        self._count([""], encoding, threads=1)

    def count_batch(self, texts: Sequence[str]) -> list[int]:
        """Return one count a text, in order."""
        batch = texts if isinstance(texts, list) else list(texts)
        try:
            return self._count(batch, self.encoding, threads=1)
        except UnicodeEncodeError:
            return self._count([_without_surrogates(text) for text in batch], self.encoding, threads=1)


class TiktokenEngine:
    """OpenAI's tiktoken, the reference; its vocabulary comes from TIKTOKEN_CACHE_DIR or from the network."""

    name = "tiktoken"

    def __init__(self, encoding: str) -> None:
        """Raise EnvironmentProblem where the vocabulary cannot be had, ConfigError for an unknown encoding."""
        self.encoding: str = _checked(encoding)
        tiktoken = importlib.import_module("tiktoken")
        try:
            self._encoder = tiktoken.get_encoding(encoding)
        except (OSError, ValueError) as error:
            raise EnvironmentProblem(
                f"The vocabulary of {encoding} could not be loaded for tiktoken ({type(error).__name__}): it is not in "
                "the folder that TIKTOKEN_CACHE_DIR names, or is damaged there, and could not be downloaded. Install "
                "toktok-rs, which needs no download, or set TIKTOKEN_CACHE_DIR to a folder with tiktoken's cache on "
                "every machine that counts."
            ) from error

    def count_batch(self, texts: Sequence[str]) -> list[int]:
        """Return one count a text, in order."""
        encode = self._encoder.encode_ordinary
        return [self._count_long(text) if _is_long_run(text) else len(encode(text)) for text in texts]

    def _count_long(self, text: str) -> int:
        """Split with the regex package, which has no backtrack limit, and encode piece by piece.

        The tokens are tiktoken's own, but for characters that only one of the two Unicode tables knows.
        """
        pattern = importlib.import_module("regex").compile(self._encoder._pat_str)
        valid = _without_surrogates(text)
        return sum(len(self._encoder._encode_single_piece(piece.group())) for piece in pattern.finditer(valid))


FACTORIES: Mapping[str, EngineFactory] = {"toktok": ToktokEngine, "tiktoken": TiktokenEngine}

_selected: dict[tuple[str, str], TokenEngine] = {}


def select_engine(
    encoding: str, preference: Preference = "auto", *, factories: Mapping[str, EngineFactory] | None = None
) -> TokenEngine:
    """Return the engine for an encoding: toktok if it is installed and passes its self-check, else tiktoken.

    An engine is built and checked once per process and then returned again; given `factories` are not kept. The
    engine of an open model (`template:...`) is its own tokenizer.
    Raises ConfigError for an unknown encoding or preference, EnvironmentProblem where no engine works.
    """
    if encoding.startswith(TEMPLATE):
        from finelake.huggingface.counting import template_engine

        return template_engine(encoding)
    if preference not in get_args(Preference):
        raise ConfigError(f"tokens.engine: found {preference!r}, expected one of {', '.join(get_args(Preference))}.")
    if factories is not None:
        return _first_sound(_checked(encoding), preference, factories)
    key = (encoding, preference)
    if key not in _selected:
        _selected[key] = _first_sound(_checked(encoding), preference, FACTORIES)
    return _selected[key]


def _first_sound(encoding: str, preference: Preference, factories: Mapping[str, EngineFactory]) -> TokenEngine:
    problems: list[str] = []
    for name, factory in factories.items():
        if preference not in ("auto", name):
            continue
        engine, problem = _built(name, factory, encoding)
        if engine is not None:
            level = logging.WARNING if problems else logging.INFO
            reason = f" because {'; '.join(problems)}" if problems else ""
            logger.log(level, "Tokens of %s are counted with %s%s.", encoding, name, reason)
            return engine
        problems.append(problem)
    raise EnvironmentProblem(
        f"No token engine works for {encoding} (tokens.engine: {preference}): {'; '.join(problems)}. "
        "Install toktok-rs, or tiktoken with its vocabulary in TIKTOKEN_CACHE_DIR."
    )


def _built(name: str, factory: EngineFactory, encoding: str) -> tuple[TokenEngine | None, str]:
    try:
        engine = factory(encoding)
    except (ImportError, AttributeError, KeyError, TypeError) as error:
        return None, f"{name} is not installed or not a version that finelake knows ({type(error).__name__})"
    except EnvironmentProblem as error:
        return None, str(error).rstrip(".")
    wrong = failed_probes(engine)
    return (None, f"{name} miscounts in its self-check ({', '.join(wrong)})") if wrong else (engine, "")


def _checked(encoding: str) -> str:
    if encoding not in get_args(Encoding):
        raise ConfigError(f"encoding: found {encoding!r}, expected one of {', '.join(get_args(Encoding))}.")
    return encoding


def _is_long_run(text: str) -> bool:
    return len(text) >= _RUN_THAT_TIKTOKEN_CANNOT_MATCH and _LONG_RUN.search(text) is not None


def _without_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
