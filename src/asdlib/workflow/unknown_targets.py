"""What was probably meant by a target that no rule makes."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import PurePosixPath

from asdlib.workflow import paths

RULES = ("report", "submission", "all")
# The folders of results that have a folder for each key, and the registry of the key.
_KEYED = {
    "separators": "separators", "features": "frontends", "labels": "labellers", "models": "models",
    "embeddings": "models",
}  # fmt: skip


def explain(target: str, systems: Iterable[str], keys: Callable[[str], list[str]]) -> str:
    """Return one line about a target; `keys` returns the keys of a registry's recipes.

    >>> explain("results/tyo/scores.csv", ["toy", "other"], keys=lambda registry: [])
    'results/tyo/scores.csv: no rule makes this file: did you mean results/toy/scores.csv?'
    """
    systems = list(systems)
    meant = _with_key(target, keys) or _named(target, systems)
    advice = f"did you mean {meant}?" if meant else f"use {', '.join([paths.scores(), *RULES])}"
    known = "" if meant else f" (systems: {', '.join(systems)})"
    return f"{target}: no rule makes this file: {advice}{known}"


def _with_key(target: str, keys: Callable[[str], list[str]]) -> str | None:
    """Return the path of an artefact with the key that its recipe has in this config, if it names another one."""
    parts = PurePosixPath(target).parts
    if len(parts) < 4 or parts[0] != paths.RESULTS or parts[1] not in _KEYED:
        return None
    key = parts[2]
    same = [one for one in keys(_KEYED[parts[1]]) if one.rpartition("-")[0] == key.rpartition("-")[0]]
    return "/".join([*parts[:2], same[0], *parts[3:]]) if same and key not in same else None


def _named(target: str, systems: list[str]) -> str | None:
    """Return the table, page or rule whose path, or whose system's name, is closest to the target."""
    word = target.rstrip("/").removeprefix(f"{paths.RESULTS}/")
    by_name = {system: paths.scores(system) for system in systems} | {rule: rule for rule in RULES}
    by_path = [*map(paths.scores, systems), *map(paths.clips, systems), paths.REPORT, paths.SUBMISSION_ARCHIVE]
    close = get_close_matches(target, by_path, 1, 0.8) or get_close_matches(word, by_name, 1, 0.7)
    return by_name.get(close[0], close[0]) if close else None
