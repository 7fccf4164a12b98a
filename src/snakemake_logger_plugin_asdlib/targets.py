"""The workflow of a call, if it is asdlib's: its rules, its systems, and the folders in which it makes files."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_RULE = re.compile(r"^rule (\w+):", re.MULTILINE)
MADE = ("results", "resources")  # the folders in which the rules make files
GOALS = ("all", "report", "submission")  # the rules without wildcards, which can be targets


@dataclass(frozen=True)
class Workflow:
    """The folder of the workflow, and the names of the rules and of the systems."""

    root: Path
    rules: frozenset[str]
    systems: frozenset[str]

    @staticmethod
    def makes(word: str) -> bool:
        """Return whether a word is the path of a file that a rule could make."""
        parts = PurePosixPath(word).parts
        return len(parts) > 1 and parts[0] in MADE

    @staticmethod
    def table(system: str) -> str:
        """Return the target of a system."""
        return f"{MADE[0]}/{system}/scores.csv"


def workflow_of(snakefile: str | None) -> Workflow | None:
    """Return the workflow of a Snakefile (None: the one that Snakemake would find), or None if it is not asdlib's."""
    from snakemake.api import resolve_snakefile

    path = resolve_snakefile(snakefile, allow_missing=True)
    root = Path(path).resolve().parent if path and Path(path).is_file() else None
    if root is None or not (root / "src" / __package__ / "__init__.py").is_file():
        return None
    texts = [file.read_text(encoding="utf-8") for file in (path, *sorted(root.glob("workflow/rules/*.smk")))]
    systems = {file.stem for file in root.glob("config/systems/*.yaml")}
    return Workflow(root, frozenset(_RULE.findall("\n".join(texts))), frozenset(systems))
