"""Read text files: `read_text` and `read_csv` for those of users, `whole_text` for those that the workflow wrote.

Users' files are UTF-8, with or without a byte order mark, with any line ends. Spreadsheets and editors on Windows add
the mark, and some save UTF-16. Every reader of such files begins here, so that the mark never becomes part of a name,
and another encoding is refused in one line.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from asdlib.errors import AsdError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> str:
    """Return the text of a file without a byte order mark, with the line ends of the file.

    Raises AsdError for text in another encoding, and OSError if the file cannot be read.
    """
    content = without_mark(Path(path).read_bytes(), str(path))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise AsdError(f"{path}, line {line}: the byte 0x{byte:02x} is not UTF-8: save the file as UTF-8") from error


def read_csv(path: Path, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) for every row of a CSV file, read as `read_text` does; a row may end on a later line.

    Raises AsdError for a quote that is not closed, or that closes in the middle of a cell.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in reader:
            yield reader.line_num, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise AsdError(f"{path}, line {line}: is not CSV ({error}): correct the quotes of this row") from error


def delimiter(path: Path) -> str:
    """Return what separates the cells of a CSV file by its first line: spreadsheets write `;` in many countries."""
    first = read_text(path).partition("\n")[0]
    return ";" if ";" in first and "," not in first else ","


def without_mark(content: bytes, where: str) -> bytes:
    """Return the bytes of a text without the byte order mark of UTF-8.

    Raises AsdError, with a message that begins with `where`, for UTF-16, which has a zero byte in most letters.
    """
    if content.startswith(_UTF16) or b"\0" in content:
        raise AsdError(f"{where}: is UTF-16, or not text (it contains zero bytes): save it as UTF-8")
    return content.removeprefix(codecs.BOM_UTF8)


def whole_text(path: Path) -> str:
    """Return the text of a file that the workflow wrote, whose last line ends in a line break.

    Raises AsdError if the file is missing, empty, cut off or overwritten with zeros.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise AsdError(f"{path}: is missing: run again to remake it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise AsdError(f"{path}: cannot be read ({error}): delete it and run again") from error
    for problem, found in (
        ("it is empty", not text),
        ("it contains zero bytes", "\0" in text),
        ("its last line is cut off", not text.endswith("\n")),
    ):
        if found:
            raise AsdError(f"{path}: is damaged ({problem}): delete it and run again")
    return text
