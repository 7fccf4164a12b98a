"""A parser of the report's pages: tables, headings and attributes."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Table:
    """The caption of a table, and the texts of its body row by row."""

    caption: str = ""
    rows: list[list[str]] = field(default_factory=list)


class PageReader(HTMLParser):
    """A parsed page: `tags` as (name, attributes) in order, levels of `headings`, `tables`, and the whole `text`."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[int] = []
        self.tables: list[Table] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "link", "br"):
            self._open.append(tag)
        if tag[0] == "h" and tag[1:].isdigit():
            self.headings.append(int(tag[1:]))
        if tag == "table":
            self.tables.append(Table())
        if tag == "tr" and "tbody" in self._open:
            self.tables[-1].rows.append([])
        if tag in ("td", "th") and "tbody" in self._open:
            self.tables[-1].rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag, f"</{tag}> closes another"

    def handle_data(self, data: str) -> None:
        self.text += data
        if "caption" in self._open:
            self.tables[-1].caption += data
        elif {"td", "th"} & set(self._open) and "tbody" in self._open:
            self.tables[-1].rows[-1][-1] += data

    def table(self, start: str) -> list[list[str]]:
        """Return the rows of the only table whose caption begins with `start`."""
        (found,) = (table.rows for table in self.tables if table.caption.startswith(start))
        return found

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements with a tag."""
        return [attributes for name, attributes in self.tags if name == tag]
