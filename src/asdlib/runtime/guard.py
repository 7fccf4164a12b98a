"""The guard against edits during a run: jobs stop if settings or code have changed since the run started.

Every job imports the library again, and jobs on a cluster also read the config and the rules again. After an edit, a
job would compute something other than what the run records. The run therefore puts fingerprints of its settings and
code into the environment, which is passed to all jobs. Comments and docstrings do not change the fingerprint of the
code.
"""

import hashlib
import json
import os
import tokenize
from pathlib import Path
from typing import Any

from asdlib.errors import AsdError
from asdlib.workflow import code_hash
from asdlib.workflow.code_text import code_of

VARIABLE = "ASDLIB_RUN"  # <settings>-<source files>-<code without comments>
ADVICE = "changed while the run is under way: restore it, or start the run again"


def begin(settings: str, files: str) -> None:
    """Pass the fingerprints of this run to its jobs; `files` was computed when the graph was built."""
    os.environ[VARIABLE] = f"{settings}-{files}-{_code_fingerprint()}"


def check_settings(settings: str) -> None:
    """Raise AsdError if this job has read another config, or other rules, than its run."""
    if VARIABLE in os.environ and os.environ[VARIABLE].split("-")[0] != settings:
        raise AsdError(f"config: it, or a rule, was {ADVICE}")


def check_library() -> None:
    """Raise AsdError if the library has changed since the run started; jobs started by hand are not checked."""
    if VARIABLE not in os.environ:
        return
    _, files, code = os.environ[VARIABLE].split("-")
    if files != library_files() and code != _code_fingerprint():  # the files take 3 ms, the code half a second
        raise AsdError(f"{code_hash.PACKAGE}: was {ADVICE}")


def settings_hash(config: Any, root: Path) -> str:
    """Return a fingerprint of what jobs on a cluster read again: the config and, without comments, the rules."""
    rules = [root / "Snakefile", *sorted(root.glob("workflow/rules/*.smk"))]
    return _hash([config, [_tokens(path) for path in rules]])


def library_files() -> str:
    """Return a fingerprint of the library's files by name, size and modification time, without reading them."""
    found = {name: path.stat() for name, path in _sources().items()}
    return _hash({name: (status.st_size, status.st_mtime_ns) for name, status in found.items()})


def _code_fingerprint() -> str:
    return _hash({name: _code(path) for name, path in _sources().items()})


def _sources() -> dict[str, Path]:
    found = code_hash.PACKAGE.rglob("[!.]*.py")  # without hidden files of editors
    return {str(path.relative_to(code_hash.PACKAGE)): path for path in found}


def _code(path: Path) -> list[Any]:
    try:
        code = code_of(path)
    except SyntaxError:  # the file is being edited
        return [path.read_text(encoding="utf-8", errors="replace")]
    return [code.text, code.imported]


def _tokens(path: Path) -> list[str]:
    """Return the tokens of a file of rules without comments: Snakemake's tokens are Python's, its grammar is not."""
    try:
        with tokenize.open(path) as handle:
            found = list(tokenize.generate_tokens(handle.readline))
    except (SyntaxError, tokenize.TokenError):  # Snakemake reports it more clearly
        return []
    return [token.string for token in found if token.type not in (tokenize.COMMENT, tokenize.NL)]


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]
