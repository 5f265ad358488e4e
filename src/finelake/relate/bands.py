"""How signatures are cut into bands: from the similarity that must be found to the S-curve that says what is."""

from __future__ import annotations

from dataclasses import dataclass

from finelake.errors import ConfigError

# The share of pairs exactly at the threshold that shall become candidates.
WANTED = 0.995


@dataclass(frozen=True, slots=True)
class Banding:
    """`bands` bands of `rows` MinHash values each; two texts are candidates when all values of a band are equal."""

    bands: int
    rows: int

    def found(self, similarity: float) -> float:
        """Give the share of pairs of a Jaccard similarity that become candidates (Leskovec et al., MMDS, 3.4.2)."""
        return float(1.0 - (1.0 - similarity**self.rows) ** self.bands)

    def curve(self) -> dict[str, float]:
        """Give the S-curve: similarity, in steps of 0.05, to the share of pairs found."""
        return {f"{step / 20:.2f}": round(self.found(step / 20), 6) for step in range(21)}


def choose_banding(*, threshold: float, permutations: int) -> Banding:
    """Choose the longest bands (fewest false candidates) that find `WANTED` of the pairs at the threshold.

    Raises ConfigError where so few permutations cannot find them.
    """
    for rows in range(permutations, 0, -1):
        banding = Banding(permutations // rows, rows)
        if banding.found(threshold) >= WANTED:
            return banding
    raise ConfigError(
        f"duplicates.permutations is {permutations}: too few to find {WANTED:.1%} of the pairs at "
        f"duplicates.threshold {threshold}. Raise one of them."
    )
