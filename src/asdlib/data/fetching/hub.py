"""Files on the Hugging Face hub, or on a mirror with the same addresses."""

import logging
import re
import urllib.parse
from dataclasses import dataclass, replace
from email.message import Message
from functools import partial

from asdlib.data.fetching.headers import length_of, number
from asdlib.data.fetching.http import fetch_headers
from asdlib.data.fetching.retry import Retry

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HubFile:
    """What the hub says of a file; the hub has no SHA-256 of small files."""

    url: str  # at its commit
    commit: str | None
    size: int | None
    sha256: str | None


def hub_url(base: str, repository: str, revision: str, file: str) -> str:
    """Return the address of a file; a branch such as `refs/pr/1` is one part of it."""
    quoted = [urllib.parse.quote(text, safe=safe) for text, safe in ((repository, "/"), (revision, ""), (file, "/"))]
    return "{}/{}/resolve/{}/{}".format(base.rstrip("/"), *quoted)


def ask_hub(base: str, repository: str, revision: str, file: str, *, retry: Retry) -> HubFile:
    """Return what the hub says of a file at a revision: a branch, a tag or a commit.

    The address is that of the commit to which the revision points now, because a branch may move during the download.
    Raises AsdError if the hub cannot be reached or does not have the file.
    """
    url = hub_url(base, repository, revision, file)
    found = fetch_headers(url, partial(_read, url), retry=retry)
    if found.commit is None:
        _log.warning("%s: the hub names no commit, so a later download may get another file", url)
        return found
    return replace(found, url=hub_url(base, repository, found.commit, file))


def _read(url: str, status: int, headers: Message) -> HubFile:
    size = None
    if linked := headers.get("X-Linked-Size"):
        size = number(linked)
    elif status == 200:  # the length of a redirect is its own
        size = length_of(headers)
    commit = _if_whole(_COMMIT, headers.get("X-Repo-Commit", ""))
    sha256 = _if_whole(_SHA256, headers.get("X-Linked-ETag", headers.get("ETag", "")).strip('"'))
    return HubFile(url, commit, size, sha256)


def _if_whole(form: re.Pattern[str], text: str) -> str | None:
    return text if form.fullmatch(text) else None
