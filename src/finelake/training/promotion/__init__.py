"""From a judged model to the one that is used: a deployment of its own, an alias that names it, and the way back."""
