"""How a curation goes on from the one before."""

from __future__ import annotations

from typing import Annotated, Literal

from finelake.config.section import OffIsAWord, Section


class Increments(Section):
    """Which conversations a curation passes through Python again; whatever is chosen, the result is the same.

    `feed` asks the raw table's change data feed which conversations changed, `compare` hashes the raw rows on Spark and
    compares; `auto` takes the feed where it is kept and reaches back far enough. `off` does all of them in every run.
    A mapped column whose type changed is refused, or with `retyped: accept` everything is done anew.
    """

    mode: Annotated[Literal["auto", "feed", "compare", "off"], OffIsAWord] = "auto"
    retyped: Literal["refuse", "accept"] = "refuse"
