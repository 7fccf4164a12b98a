"""The exceptions with messages for users, phrases of these messages, and the form in which text reaches a terminal."""

import logging
from collections.abc import Sized
from pathlib import Path


class AsdError(Exception):
    """Wrong input or a wrong setting.

    The message is one line: it names the file or the config key, says what is wrong with it, and what to do.
    Commands print it without a traceback. Any other exception that reaches the command line is a bug and keeps its
    traceback.
    """

    exit_code = 1  # of a job

    def __str__(self) -> str:
        return printable(super().__str__())


class OutOfGpuMemoryError(AsdError):
    """Too little GPU memory: another attempt would fail like this one, also with more memory of the host."""

    exit_code = 3


class WrongSettingError(AsdError):
    """A setting of a recipe that does not fit the clips: `what`, the setting, and the value that does."""

    def __str__(self) -> str:
        what, _, value = self.args
        return printable(f"{what}: set it to {value}")


class TooFewClipsError(AsdError):
    """A method cannot be fitted to so few clips of a machine; other machines and methods are not concerned.

    A step that is refused in this way writes a file that has the message under `REFUSED` and nothing else. Whoever
    opens the file as a table or a checkpoint gets this error again, so that no step can mistake it for a result.
    """


REFUSED = "refused"


class LogFormatter(logging.Formatter):
    """Formats messages with `printable`; only tracebacks and Python's own warnings have several lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        lines = record.message.splitlines() if record.name == "py.warnings" else [record.message]
        record.message = "\n".join(map(printable, lines))
        return super().formatMessage(record)


def and_more(found: Sized) -> str:
    """Return a phrase that counts all but the first of what was found; empty for one or none."""
    return f" (and {len(found) - 1} more)" if len(found) > 1 else ""


def unwritable(path: Path, reason: str | None) -> str:
    """Return the message about a place that cannot be written."""
    return f"{path}: cannot be written ({reason}): make room, or make the folder writable"


def printable(text: str) -> str:
    r"""Return text in which every character that has no glyph is escaped.

    Names of files may contain line breaks, which would forge a second message, the ESC of a terminal's control
    sequences, and bytes outside UTF-8, which no stream can encode.

    >>> print(printable("fan\x1b[31m\n.wav"))
    fan\x1b[31m\n.wav
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    """Return the escape of one character; for a byte outside UTF-8, as Python decodes it in names, that of the byte."""
    code = ord(character)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else character.encode("unicode_escape").decode()
