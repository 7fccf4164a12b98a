"""The pipe tables of a Markdown page, read as GitHub renders them: an unescaped `|` ends a cell, also inside code."""

import re
from collections.abc import Iterator

FENCE = re.compile(r"^ *(```|~~~)")
SEPARATOR = re.compile(r":?-{3,}:?")


def tables(text: str) -> list[list[list[str]]]:
    """Return every table of a page: its header, then its rows, each a list of cells.

    Raises ValueError, with the line's number, for what GitHub would not render as the table it is meant to be.
    """
    return [_table(block) for block in _blocks(text)]


def _blocks(text: str) -> Iterator[list[tuple[int, str]]]:
    """Yield the runs of lines that begin with a pipe, with their numbers. Code blocks are passed over."""
    block: list[tuple[int, str]] = []
    in_code = False
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if FENCE.match(line):
            in_code = not in_code
        if line.startswith("|") and not in_code:
            block.append((number, line))
        elif block:
            if line.strip():
                raise ValueError(f"line {number}: a blank line must end a table, or this line becomes a row")
            yield block
            block = []


def _table(block: list[tuple[int, str]]) -> list[list[str]]:
    first = block[0][0]
    header, *rows = [_cells(number, line) for number, line in block]
    if not rows or not all(SEPARATOR.fullmatch(cell) for cell in rows[0]):
        raise ValueError(f"line {first}: a row outside of a table: a header and a separator row must stand above it")
    for (number, _), row in zip(block[1:], rows, strict=True):
        if len(row) != len(header):
            raise ValueError(f"line {number}: {len(row)} cells in a table of {len(header)} columns")
    return [header, *rows[1:]]


def _cells(number: int, line: str) -> list[str]:
    parts = re.split(r"(?<!\\)\|", line.rstrip())
    if parts[0] or parts[-1] or len(parts) < 3:
        raise ValueError(f"line {number}: a row must begin and end with a pipe")
    return [part.strip().replace(r"\|", "|") for part in parts[1:-1]]
