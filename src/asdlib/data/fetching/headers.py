"""The headers of an answer that a download uses. A server may send anything in them."""

import re
import time
from collections.abc import Mapping
from email.message import Message
from email.utils import parsedate_to_datetime

from asdlib.data.fetching.retry import TryAgainError

_NUMBER = re.compile(r"[0-9]{1,15}")  # int() also takes other digits such as ², and str.isdigit() says that it would
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')


def length_of(headers: Message) -> int | None:
    """Return the stated length of the body, None if it is not stated; raise TryAgainError if it is not one number."""
    texts = sorted(set(headers.get_all("Content-Length", [])))
    return number(", ".join(texts)) if texts else None


def coding_of(headers: Mapping[str, str]) -> str | None:
    """Return how the body differs from the file: a coding that was not asked for, and that nothing here undoes."""
    for name, plain in (("Content-Encoding", "identity"), ("Transfer-Encoding", "chunked")):
        coding = headers.get(name, plain).strip().lower()
        if coding != plain:
            return coding
    return None


def is_page(headers: Mapping[str, str]) -> bool:
    """Return whether the body is a web page; no archive, table, record or file of weights is one."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower() in ("text/html", "application/xhtml+xml")


def number(text: str) -> int:
    """Return a number of bytes; raise TryAgainError if the text is not one."""
    if not _NUMBER.fullmatch(text.strip()):
        raise TryAgainError(f"the server states the length {text[:20]!r}, which is not a number")
    return int(text)


def content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return the first byte and the total of `bytes 10-99/100`, (10, 100); None for a value that is not stated."""
    span, _, total = headers.get("Content-Range", "").removeprefix("bytes").strip().partition("/")
    first = span.partition("-")[0]
    return tuple(int(text) if _NUMBER.fullmatch(text) else None for text in (first, total))


def validator_of(headers: Mapping[str, str]) -> str | None:
    """Return what identifies a revision in `If-Range`: the strong ETag, else the date, None if there is neither."""
    etag, date = (str(headers.get(name, "")) for name in ("ETag", "Last-Modified"))
    if _STRONG_ETAG.fullmatch(etag):
        return etag
    return date if _time_of(date) is not None else None


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds of Retry-After, which is a number or a date; 0 if there is none."""
    text = headers.get("Retry-After", "0")
    try:
        return max(0.0, float(text))
    except ValueError:
        return max(0.0, (_time_of(text) or 0.0) - time.time())


def _time_of(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() if date.isascii() and date.isprintable() else None
    except (ValueError, OverflowError, TypeError):
        return None
