"""Settings and code stay as they are while a run is under way, or its later jobs stop.

Every job imports the library anew, and every job on a cluster reads the config and the rules anew as well. After an
edit it would compute something else than the run records. The run therefore puts a fingerprint of what it started with
into the environment, which reaches every job. That of the code is by meaning: a new comment stops nothing.
"""

import hashlib
import json
import os
import tokenize
from pathlib import Path
from typing import Any

from asdlib.errors import AsdError
from asdlib.workflow import code_hash

VARIABLE = "ASDLIB_RUN"  # <settings>-<source files>-<their meaning>
ADVICE = "changed while the run is under way: restore it, or start the run again"


def begin(settings: str, files: str) -> None:
    """Show every job what this run started with; `files` were taken when the graph was built."""
    os.environ[VARIABLE] = f"{settings}-{files}-{_meaning()}"


def check_settings(settings: str) -> None:
    """Stop a job that has read another config, or other rules, than its run."""
    if VARIABLE in os.environ and os.environ[VARIABLE].split("-")[0] != settings:
        raise AsdError(f"the config or a rule was {ADVICE}")


def check_library() -> None:
    """Stop a job whose library is not that of its run. A job that is started by hand belongs to no run."""
    if VARIABLE not in os.environ:
        return
    _, files, meaning = os.environ[VARIABLE].split("-")
    if files != library_files() and meaning != _meaning():  # the files take 3 ms, their meaning half a second
        raise AsdError(f"{code_hash.PACKAGE}: was {ADVICE}")


def settings_hash(config: Any, root: Path) -> str:
    """Fingerprint what a job on a cluster reads anew: the config and, comments left out, the rules in `root`."""
    rules = [root / "Snakefile", *sorted(root.glob("workflow/rules/*.smk"))]
    return _hash([config, [_tokens(path) for path in rules]])


def library_files() -> str:
    """Fingerprint the library's files by name, size and time of change, without reading them."""
    found = {name: path.stat() for name, path in _sources().items()}
    return _hash({name: (status.st_size, status.st_mtime_ns) for name, status in found.items()})


def _meaning() -> str:
    return _hash({name: _code(path) for name, path in _sources().items()})


def _sources() -> dict[str, Path]:
    found = code_hash.PACKAGE.rglob("[!.]*.py")  # editors keep hidden files beside those that are open
    return {str(path.relative_to(code_hash.PACKAGE)): path for path in found}


def _code(path: Path) -> str:
    try:
        return code_hash.normalised(path)
    except SyntaxError:  # somebody is in the middle of an edit
        return path.read_text(errors="replace")


def _tokens(path: Path) -> list[str]:
    """Split a file of rules into its words: they are Python's, though its sentences are not."""
    try:
        with tokenize.open(path) as handle:
            found = list(tokenize.generate_tokens(handle.readline))
    except (SyntaxError, tokenize.TokenError):  # Snakemake has better words for it
        return []
    return [token.string for token in found if token.type not in (tokenize.COMMENT, tokenize.NL)]


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]
