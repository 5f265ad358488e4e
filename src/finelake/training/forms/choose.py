"""From a method to the form of its lines."""

from __future__ import annotations

from finelake.config.planning import Method
from finelake.training.forms.form import LineForm
from finelake.training.forms.preference import PREFERENCE
from finelake.training.forms.reinforcement import REINFORCEMENT
from finelake.training.forms.supervised import SUPERVISED

_FORMS = {form.method: form for form in (SUPERVISED, PREFERENCE, REINFORCEMENT)}


def form_of(method: Method) -> LineForm:
    """Give the form of a method's lines."""
    return _FORMS[method]
