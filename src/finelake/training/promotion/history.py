"""What an alias stands for, and stood for, by its changes."""

from __future__ import annotations

from collections.abc import Iterable

from finelake.tables.aliases import AliasEntry


def of_alias(entries: Iterable[AliasEntry], alias: str) -> list[AliasEntry]:
    """Give the changes of one alias in order."""
    return sorted((entry for entry in entries if entry.alias == alias), key=lambda entry: entry.sequence)


def current(history: list[AliasEntry]) -> AliasEntry | None:
    """Give what an alias stands for; None for an alias that was never promoted."""
    return history[-1] if history else None


def before(history: list[AliasEntry]) -> AliasEntry | None:
    """Give what a rollback goes back to: the promotion below the one that stands; None when there is none.

    Promotions lie on each other; a rollback takes the upper one away.
    """
    standing: list[AliasEntry] = []
    for entry in history:
        if entry.action == "promote":
            standing.append(entry)
            continue
        while standing and standing[-1].deployment != entry.deployment:
            standing.pop()
    return standing[-2] if len(standing) > 1 else None


def superseded(entries: list[AliasEntry], alias: str) -> list[AliasEntry]:
    """Give the last change for each deployment that the alias named and that no alias of the project names now."""
    aliases = {entry.alias for entry in entries}
    in_use = {now.deployment for name in aliases if (now := current(of_alias(entries, name))) is not None}
    last = {entry.deployment: entry for entry in of_alias(entries, alias)}
    return [entry for name, entry in last.items() if name not in in_use]
