"""Output streams that accept any text, whatever the locale or PYTHONIOENCODING says.

Messages contain signs that ASCII and Latin-1 lack (–, ±, …), and names of files may contain anything.
"""

import io
import logging
from collections.abc import Iterable
from typing import IO


def escape_unknown(*streams: IO[str]) -> None:
    """Write a character that a stream's encoding lacks as an escape (\\u2013), instead of raising an error."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):  # a test or a library may have put another object in its place
            stream.reconfigure(errors="backslashreplace")


def use_utf8(*streams: IO[str]) -> None:
    """Write UTF-8 to streams that are read as a file: logs, and output in CSV or JSON."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def accept_any_text(handlers: Iterable[logging.Handler]) -> None:
    """Let handlers of log messages accept any text: log files are UTF-8, a terminal keeps its encoding."""
    for handler in handlers:
        if isinstance(handler, logging.FileHandler):
            use_utf8(handler.stream)
        elif isinstance(handler, logging.StreamHandler):
            escape_unknown(handler.stream)
