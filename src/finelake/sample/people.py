"""Sixty customers and eight agents, fixed by the phrase files so that every seed meets the same people."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from finelake.sample.phrasebook import Phrasebook

USERS_PER_LANGUAGE = 20
ANONYMOUS_SHARE = 0.08


@dataclass(frozen=True, kw_only=True, slots=True)
class Customer:
    """A person who writes; `user_id` is None for one who is not logged in."""

    user_id: str | None
    first: str
    family: str
    full_name: str
    address: str


def known_customers(book: Phrasebook) -> tuple[Customer, ...]:
    """Return the language's registered customers."""
    return tuple(
        _person(book, user_id=f"u-{book.language}-{number:02d}", number=number, family=number)
        for number in range(USERS_PER_LANGUAGE)
    )


def pick_customer(book: Phrasebook, rng: Random) -> Customer:
    """Return a registered customer, or now and then a passer-by without a user id."""
    if rng.random() >= ANONYMOUS_SHARE:
        return rng.choice(known_customers(book))
    return _person(book, user_id=None, number=rng.randrange(20), family=rng.randrange(USERS_PER_LANGUAGE))


def agent_id(book: Phrasebook, name: str) -> str:
    """Return the id of an agent of the language's desk."""
    return f"a-{book.language}-{list(book.data['agents']).index(name) + 1}"


def _person(book: Phrasebook, *, user_id: str | None, number: int, family: int) -> Customer:
    female = number % 2 == 0
    first = str(book.data["women" if female else "men"][number // 2])
    names = {"first": first, "family": str(book.data["families"][family])}
    return Customer(
        user_id=user_id,
        first=names["first"],
        family=names["family"],
        full_name=str(book.data["full_name"]).format(**names),
        address=str(book.data["address"]["f" if female else "m"]).format(**names),
    )
