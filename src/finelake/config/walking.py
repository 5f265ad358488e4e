"""Walk the types of the settings: what a place in a configuration file may hold, and where secrets are named."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from finelake.config.privacy import SecretRef
from finelake.config.section import Section
from finelake.config.settings import Settings


def branches(annotation: Any) -> Iterator[Any]:
    """Give the types that a field may have: the branches of a union, each without its annotations."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from branches(get_args(annotation)[0])
    elif origin in {Union, types.UnionType}:
        for each in get_args(annotation):
            yield from branches(each)
    else:
        yield annotation


def section_of(branch: Any) -> type[Section] | None:
    """Give a branch that is a section, else None."""
    return branch if isinstance(branch, type) and issubclass(branch, Section) else None


def held_by(branch: Any) -> list[Any]:
    """Give the types of what a list or the values of a mapping hold; nothing for any other type."""
    held = [each for each in get_args(branch) if each is not Ellipsis]
    if get_origin(branch) is dict:
        return held[1:]
    return held if get_origin(branch) in {list, tuple} else []


def types_along(location: Sequence[str]) -> list[list[Any]]:
    """Give the types that each part of a location may have, the whole file's first; it ends where none is known."""
    along: list[list[Any]] = [[Settings]]
    for part in location:
        inner = [each for branch in along[-1] for annotation in _inside(branch, part) for each in branches(annotation)]
        if not inner:
            break
        along.append(inner)
    return along


def may_hold_secret(location: Sequence[str]) -> bool:
    """Tell whether a value at a location is, lies in, or may contain what should name the place of a secret."""
    along = types_along(location)
    return any(branch is SecretRef for found in along for branch in found) or any(map(_names_secret, along[-1]))


def is_in_secret(location: Sequence[str]) -> bool:
    """Tell whether a location is, or lies in, what should name the place of a secret."""
    return any(branch is SecretRef for found in types_along(location) for branch in found)


def secret_refs(settings: Section) -> Iterator[tuple[str, SecretRef]]:
    """Give each place of a secret that settings name, with its key in the file."""
    return ((at, value) for at, value in _values(settings, "") if isinstance(value, SecretRef))


def texts(settings: Section) -> Iterator[tuple[str, str]]:
    """Give each text in settings with its key in the file; places of secrets are left out."""
    return ((at, value) for at, value in _values(settings, "") if isinstance(value, str))


def _values(value: Any, at: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Section) and not isinstance(value, SecretRef):
        inner: Iterable[tuple[Any, Any]] = ((name, getattr(value, name)) for name in type(value).model_fields)
    elif isinstance(value, (tuple, list)):
        inner = enumerate(value)
    elif isinstance(value, dict):
        inner = value.items()
    else:
        yield at, value
        return
    for name, each in inner:
        yield from _values(each, f"{at}.{name}" if at else str(name))


def _inside(branch: Any, part: str) -> list[Any]:
    section = section_of(branch)
    if section is None:
        return held_by(branch)
    return [section.model_fields[part].annotation] if part in section.model_fields else []


def _names_secret(branch: Any) -> bool:
    section = section_of(branch)
    if section is SecretRef:
        return True
    inner = held_by(branch) if section is None else [field.annotation for field in section.model_fields.values()]
    return any(_names_secret(each) for annotation in inner for each in branches(annotation))
