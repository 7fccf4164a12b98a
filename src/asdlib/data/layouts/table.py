"""Tables of clips: a CSV, TSV or Parquet file with a row for each recording.

The columns are `file` and, where known, `machine`, `split`, `label`, `domain`, `section`, `kind` and `session`; every
further column is an attribute.
"""

import os
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from asdlib.data.layouts.recording import FIRST, SOURCE, Found, LayoutError, Recording
from asdlib.data.layouts.table_attributes import attributes_line, columns_of, like_labels
from asdlib.data.layouts.table_words import WORDS, is_word, refuse_words
from asdlib.data.listing import refuse_special, refuse_unreadable_format
from asdlib.data.text_files import delimiter, read_csv
from asdlib.errors import AsdError, and_more

ENDINGS = (".csv", ".tsv", ".parquet")
# What is assumed where a column is missing, as a phrase to print.
DEFAULTS = {
    "machine": "every row is of the machine {stem}",
    "split": "anomalies and clips without a label are test clips, the others are trained on",
    "label": "training clips are normal, test clips have no label",
    "domain": "every clip is of the source domain",
    "section": "every clip is of section 00",
}
# What is assumed if there is neither a split nor a label.
ALONE = {"split": "every clip is trained on, unless it is held out", "label": "every clip is normal"}
COLUMNS = ("file", *DEFAULTS, "kind", "session")
_INDEX = re.compile(r"__index_level_\d+__")  # columns that pandas adds for the numbers of rows
Row = dict[str, str]


def is_table(path: Path) -> bool:
    """Return whether a path has the ending of a table."""
    return path.suffix.lower() in ENDINGS


def read_table(path: Path) -> Found:
    """Return the recordings of a table. Raises AsdError, naming the line, for a row that cannot be understood."""
    header, rows = _cells(path)
    _check_header(path, header)
    numbered = [(line, _recording(path, f"{path}, line {line}", row, header)) for line, row in rows]
    if not numbered:
        raise LayoutError(f"{path}: has no rows: add one for each clip")
    _refuse_missing(path, numbered)
    _refuse_repeated(path, numbered)
    recordings = [recording for _, recording in numbered]
    missing = [name for name in DEFAULTS if name not in header]
    said = [f"no column {name}: {_default(name, header).format(stem=path.stem)}" for name in missing]
    attributes = columns_of([name for name in header if name not in COLUMNS], (one.attributes for one in recordings))
    doubts = [] if "label" in header else like_labels(attributes)
    return Found(recordings, [f"{len(recordings)} rows", *said, *attributes_line(attributes)], doubts)


def _default(name: str, header: list[str]) -> str:
    alone = not {"label", "split"} & set(header)  # both are missing, and neither says what the other is
    return ALONE.get(name, DEFAULTS[name]) if alone else DEFAULTS[name]


def _recording(path: Path, where: str, row: Row, header: list[str]) -> Recording:
    kind, label = _kind_and_label(where, row, header)
    if row.get("machine") == "":
        raise LayoutError(f"{where}: machine is empty: write the name of the machine")
    section = row.get("section") or FIRST
    if not re.fullmatch(r"[0-9]{1,2}", section):
        raise LayoutError(f"{where}: section: {section!r}: use two digits, such as 00")
    usual = SOURCE if "domain" not in header or kind in (None, "train", "clean") else None
    return Recording(
        _path(path, where, row),
        row["file"].replace("\\", "/"),
        row.get("machine", path.stem),
        section.zfill(2),
        kind,
        label,
        row.get("domain") or usual,
        row.get("session") or None,
        {name: row[name] for name in header if name not in COLUMNS and row[name]},
    )


def _kind_and_label(where: str, row: Row, header: list[str]) -> tuple[str | None, str | None]:
    """Return the kind (None: to be trained on or held out) and label of a row."""
    split, label, source = row.get("split"), row.get("label"), row.get("kind")
    if split == "supplemental" or (source and not split):
        if not source:
            raise LayoutError(f"{where}: a supplement without a kind: add a column kind: machine or noise")
        if label == "anomaly":
            raise LayoutError(f"{where}: an anomaly among the supplements: set split to test, or remove the row")
        return ("clean", "normal") if source == "machine" else ("noise", None)
    if source == "noise":
        raise LayoutError(f"{where}: noise among the {split} clips: set split to supplemental")
    if split == "train" and label == "anomaly":
        raise LayoutError(f"{where}: an anomaly among the training clips: set split to test, or remove the row")
    if split == "train":
        return "train", "normal"
    if split == "test":
        return "test", label or None
    if label == "normal" or not {"label", "split"} & set(header):
        return None, "normal"
    return "test", label or None


def _path(table: Path, where: str, row: Row) -> Path:
    if not row["file"]:
        raise LayoutError(f"{where}: file is empty: write the path of a recording")
    path = table.parent / row["file"]
    try:
        refuse_unreadable_format(path)
    except AsdError as error:
        raise LayoutError(f"{where}: {error}") from None
    # one spelling for one folder; `..` behind a link is not what stands before the link
    return Path(os.path.realpath(path.parent), path.name) if ".." in path.parts else path


def _refuse_missing(table: Path, recordings: list[tuple[int, Recording]]) -> None:
    missing = [(line, one) for line, one in recordings if not os.path.lexists(one.path)]
    if missing:
        line, one = missing[0]
        meant, remedy = "", "correct the column file"
        if (slashed := table.parent / one.file) != one.path and os.path.lexists(slashed):
            meant, remedy = f", but {os.path.normpath(slashed)}", r"write / in place of \ in the column file"
        raise LayoutError(f"{table}, line {line}: there is no file {one.path}{and_more(missing)}{meant}: {remedy}")


def _refuse_repeated(table: Path, recordings: list[tuple[int, Recording]]) -> None:
    lines: dict[str, int] = {}
    real = cache(os.path.realpath)  # of folders: asking for every file takes seconds in large tables
    for line, one in recordings:
        path = one.path
        file = os.path.realpath(path) if path.is_symlink() else f"{real(path.parent)}/{path.name}"
        other = lines.setdefault(file, line)
        if other != line:
            raise LayoutError(f"{table}, line {line}: {one.file} is also in line {other}: remove one of them")


def _check_header(path: Path, header: list[str]) -> None:
    if "file" not in header:
        _refuse_separator(path, header)
        shown = ", ".join(filter(None, header[:8])) or "none"
        raise LayoutError(f"{path}: has no column file (columns: {shown}): name the column of paths file")
    for name in header:
        if not name:
            raise LayoutError(f"{path}: a column has no name: name or remove it")
        if header.count(name) > 1:
            raise LayoutError(f"{path}: two columns are named {name}: remove one of them")


def _refuse_separator(path: Path, header: list[str]) -> None:
    """Raise AsdError for a header whose cells are separated in another way than the ending of the file says."""
    ending = path.suffix.lower()
    for other, separator, name in ((".tsv", "\t", "tabs"), (".csv", ",", "commas")):
        if ending != other and ending != ".parquet" and any(separator in cell for cell in header):
            raise LayoutError(f"{path}: cells are separated by {name}: name it {path.stem}{other}")


def _cells(path: Path) -> tuple[list[str], Iterator[tuple[int, Row]]]:
    """Return the columns, those with a meaning in lower case, and the rows with their line numbers."""
    refuse_special(path)
    try:
        lines = _parquet(path) if path.suffix.lower() == ".parquet" else _text(path)
    except OSError as error:
        raise LayoutError(f"{path}: cannot be read ({error.strerror}): check the file and its permissions") from error
    if not lines:
        raise LayoutError(f"{path}: is empty: add a header and a row for each clip")
    header = [name.lower() if name.lower() in COLUMNS else name for name in lines[0][1]]
    return header, _rows(path, header, lines[1:])


def _rows(path: Path, header: list[str], lines: list[tuple[int, list[str]]]) -> Iterator[tuple[int, Row]]:
    for line, cells in lines:
        if not any(cells):
            continue
        if len(cells) != len(header):
            raise LayoutError(f"{path}, line {line}: {len(cells)} cells under {len(header)} columns: correct it")
        row = {
            name: cell if name == "file" else unicodedata.normalize("NFC", cell)
            for name, cell in zip(header, cells, strict=True)
        }
        for name, words in WORDS.items():
            if name in row:
                if not is_word(row[name], words):
                    refuse_words(path, name, words, header, lines)
                row[name] = row[name].casefold()
        yield line, row


def _text(path: Path) -> list[tuple[int, list[str]]]:
    between = "\t" if path.suffix.lower() == ".tsv" else delimiter(path)
    lines = [(line, [_clean(cell) for cell in cells]) for line, cells in read_csv(path, between)]
    return lines[1:] if lines and lines[0][1] == ["sep=", ""] else lines  # a line that tells Excel the delimiter


def _parquet(path: Path) -> list[tuple[int, list[str]]]:
    try:
        import pyarrow.parquet as pq  # slow to import, and not in every environment that only starts jobs
    except ImportError as error:
        raise LayoutError(f"{path}: pyarrow is not installed here: save the table as CSV") from error
    try:
        table = pq.read_table(path)
        table = table.drop_columns([name for name in table.column_names if _INDEX.fullmatch(name)])
    except Exception as error:  # pyarrow raises many types of errors for a damaged file
        reason = str(error).splitlines()[0]
        raise LayoutError(f"{path}: is not a Parquet file ({reason}): save it again") from error
    rows = [[_clean(cell) for cell in row.values()] for row in table.to_pylist()]
    return [(1, [_clean(name) for name in table.column_names]), *enumerate(rows, 2)]


def _clean(cell: Any) -> str:
    """Return a cell as text; an unknown value is empty."""
    missing = cell is None or cell != cell  # NaN
    return "" if missing else str(cell).strip()
