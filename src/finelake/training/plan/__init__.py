"""Plan before spend: what is known is gathered once, then each check, a pure function, gives its findings."""
