"""Text files that the workflow wrote itself: every line of them ends in a line break, and none holds a zero byte."""

from pathlib import Path

from asdlib.errors import AsdError


def whole_text(path: Path) -> str:
    """Return the text of such a file; raise AsdError if the file is missing, empty, cut off or overwritten by zeros."""
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
