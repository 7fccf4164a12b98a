"""What the words of an option can be: its values, targets that it has swallowed, or neither."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from snakemake_interface_common.exceptions import WorkflowError

from snakemake_logger_plugin_asdlib.options import Option
from snakemake_logger_plugin_asdlib.targets import GOALS, Workflow

_ENDINGS = {"configfile": (".yaml", ".yml", ".json"), "report": (".html", ".zip")}
_KEY = re.compile(r"[a-zA-Z_][\w-]*\w$")  # of --config, as Snakemake requires it


class WrongWordError(Exception):
    """A word of the command line that is neither a value of its option nor a target. The message is one line."""


def is_swallowed(option: Option, word: str, workflow: Workflow) -> bool:
    """Return whether a word that an option has taken is a target.

    The rules `report`, … are targets for options whose values cannot be names.
    """
    if "=" in word or word in option.choices:
        return False
    if option.dest in _ENDINGS:
        if word.endswith(_ENDINGS[option.dest]) and (option.dest == "report" or Path(word).is_file()):
            return False
        return workflow.makes(word) or (word in GOALS and not Path(word).exists())
    if option.nargs not in ("?", "*", "+") or option.values in ("FILE", "TESTPATH"):
        return False
    return workflow.makes(word) or (word in GOALS and bool(option.assigns or option.choices))


def check(option: Option, words: Sequence[str], workflow: Workflow) -> None:
    """Raise WrongWordError for a word on which Snakemake would stop with a traceback that does not name it."""
    name = option.names[0]
    if option.assigns:
        for word in (word for word in words if "=" not in word):
            advice = f"did you mean {workflow.table(word)}?" if word in workflow.systems else "correct or remove it"
            raise WrongWordError(f"{name}: {word}: is neither {option.values} nor a target of this workflow: {advice}")
    for word in words:
        if option.dest == "configfile" and (problem := _problem_of(Path(word))):
            raise WrongWordError(f"{name}: {word}: {problem}")
        if option.dest == "config" and not _KEY.match(word.partition("=")[0]):
            raise WrongWordError(f"{name}: {word}: is not a setting of the config: {_advice(word, workflow)}")


def _problem_of(path: Path) -> str | None:
    """Return why Snakemake would end in a traceback, or in a message that does not name the file; None if it reads it.

    What is no regular file, such as a pipe of the shell, can only be read once, and not here.
    """
    from snakemake.common.configfile import load_configfile

    if not path.exists():
        return "there is no such file: correct the path"
    if path.is_dir():
        return "is a folder: name a file"
    try:
        if path.is_file():
            load_configfile(path)
    except UnicodeDecodeError:
        return "is not UTF-8: save the file as UTF-8"
    except OSError as error:
        return f"cannot be read ({error.strerror}): check its permissions"
    except WorkflowError as error:
        mark = getattr(error.__context__, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        return f"has no settings `key: value` that are YAML: correct it{where}"
    return None


def _advice(entry: str, workflow: Workflow) -> str:
    """Return how an entry such as `prepare.downmix=true` is written, from the library of the workflow's checkout."""
    ask = "import sys; from asdlib.workflow.option_words import advice; print(advice(sys.argv[1]))"
    found = {**os.environ, "PYTHONPATH": str(workflow.root / "src")}
    call = [sys.executable, "-P", "-c", ask, entry]
    said = subprocess.run(call, cwd=workflow.root, env=found, capture_output=True, encoding="utf-8")
    return said.stdout.strip() or "correct it"
