"""One file a check. `@check(group)` on a function `(known) -> findings` is all that a new one needs."""
