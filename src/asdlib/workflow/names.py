"""Names of datasets and machines: what is allowed, in words, and a usable name for one that is not."""

import re
import unicodedata
from collections.abc import Sequence

from asdlib.workflow.words import ALL, NAME

RULE = "up to 100 letters a to z without accents, digits and ._+-, no spaces"
_LONGEST = 100
_SHOWN = 5  # suggestions in a message
_SPELLED = {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "æ": "ae", "ø": "o"}


def unusable_machines(names: Sequence[str]) -> list[str]:
    """Return the names that no machine may have."""
    return [name for name in names if not re.fullmatch(NAME, name) or name == ALL]


def suggested(name: str) -> str:
    """Return a usable name that looks like another; "" if nothing of it can be used.

    >>> suggested("Prüfstand 3")
    'Pruefstand_3'
    """
    text = unicodedata.normalize("NFC", name)  # macOS writes ü as two characters
    text = unicodedata.normalize("NFKD", "".join(_SPELLED.get(letter, letter) for letter in text))
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = re.sub(r"[^A-Za-z0-9_.+-]+", "_", text).strip("_").lstrip("._+-")[:_LONGEST]
    return f"{text}_1" if text == ALL else text


def examples(names: Sequence[str]) -> str:
    """Return a phrase, to follow the rule, with a usable name for each of some names."""
    found = [(name, usable) for name in names if (usable := suggested(name))]
    if not found:
        return ""
    shown = [usable if len(names) == 1 else f"{usable} for {name}" for name, usable in found[:_SHOWN]]
    more = f" (and {len(names) - len(shown)} more)" if len(names) > len(shown) else ""
    return f", for example {', '.join(shown)}{more}"
