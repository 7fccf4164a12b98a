"""The signatures of the functions in the rules, kept with them.

Snakemake asks up to three times per job what arguments each function takes. `inspect` derives that anew from its code,
unless the function has a `__signature__`.
"""

import inspect
from collections.abc import Iterable
from types import FunctionType
from typing import Any


def keep(rules: Iterable[Any]) -> None:
    """Give the input functions and the functions in the params of Snakemake's rules their `__signature__`."""
    for rule in rules:
        for item in (*rule.input, *rule.params):
            function = getattr(item, "callable", item)  # Snakemake wraps input functions as text
            if isinstance(function, FunctionType):
                function.__signature__ = inspect.signature(function)
