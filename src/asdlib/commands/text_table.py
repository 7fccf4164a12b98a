"""Tables that commands print, drawn by rich."""

import sys
from collections.abc import Iterable, Sequence

from asdlib.errors import printable

WIDTH = 1_000_000  # rich wraps and cuts what is wider than this


def text_table(heads: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Return a table as lines without borders: the first `left` columns flush left, the others flush right.

    Headings are bold on a terminal. A program that reads the output gets the complete, plain text: lines are never
    wrapped or cut. If all headings are empty, there is no heading line.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1), pad_edge=False, show_header=any(heads))
    for number, head in enumerate(heads):
        table.add_column(Text(head), justify="left" if number < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))  # a plain string would be read as rich's markup
    console = Console(width=WIDTH, force_terminal=sys.stdout.isatty())  # whatever FORCE_COLOR says
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))
