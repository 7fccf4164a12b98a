"""The words of a table of clips, and the message about others."""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from asdlib.data.layouts.folders import ANOMALOUS, NORMAL, UNKNOWN
from asdlib.data.layouts.recording import LayoutError

WORDS = {
    "split": ("train", "test", "supplemental"),
    "label": ("normal", "anomaly"),
    "domain": ("source", "target"),
    "kind": ("machine", "noise"),
}
_SHOWN = 5  # unknown words in a message
# What to write in a column label for words that are known as names of folders.
_MEANT = {"anomaly": ANOMALOUS, "normal": NORMAL, "nothing": UNKNOWN}


def is_word(text: str, words: tuple[str, ...]) -> bool:
    """Return whether a cell is empty or has one of the words."""
    return not text or text.casefold() in words


def refuse_words(
    path: Path, name: str, words: tuple[str, ...], header: list[str], lines: list[tuple[int, list[str]]]
) -> NoReturn:
    """Raise AsdError, naming the first line with an unknown word, how many others there are, and all unknown words."""
    at = header.index(name)
    wrong = [(line, cells[at]) for line, cells in lines if len(cells) > at and not is_word(cells[at], words)]
    (line, first), *others = wrong
    values = list(dict.fromkeys(text for _, text in wrong))
    also = ""
    if others:
        shown = ", ".join(map(repr, values[:_SHOWN])) + (", …" if len(values) > _SHOWN else "")
        also = f" ({len(wrong)} lines{f', with {shown}' if len(values) > 1 else ''})"
    remedy = (name == "label" and _in_place(values)) or f"use {', '.join(words)}, or leave it empty"
    raise LayoutError(f"{path}, line {line}: {name}: {first!r}{also}: {remedy}")


def _in_place(values: Sequence[str]) -> str:
    """Return what to write in place of labels that are all known as names of folders; empty if one is not."""
    found = {word: [value for value in values if value.casefold() in names] for word, names in _MEANT.items()}
    if sum(map(len, found.values())) < len(values):
        return ""
    parts = [f"{word} in place of {' and '.join(given)}" for word, given in found.items() if given]
    return f"write {', '.join(parts)}"
