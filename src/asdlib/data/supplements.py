"""What the name of a supplement says: a recording of the machine alone (clean) or of the background alone (noise).

The archives and reports of 2025 spell these names in several ways. The kind is a word between the section and the
clip's number; a word like it behind the number is part of an attribute.

section_00_machine_0001_spd_1.wav    section_00_machine_source_0000_noAttribute.wav
section_00_noise_0000_n_A.wav        section_00_source_supplemental_machine_0000.wav
section_00_machine_0001_.wav         section_00_noise_supplemental_normal_0000.wav
"""

import re
from dataclasses import dataclass
from pathlib import Path

from asdlib.errors import AsdError

KINDS = {"machine": "clean", "noise": "noise"}  # word in the name: kind of the clip
_WORD = r"[^\W\d_][^\W_]*"  # begins with a letter; the first part that does not is the clip's number
_NAME = re.compile(rf"section_(?P<section>\d\d)_(?P<words>{_WORD}(_{_WORD})*)_\d+(_(?P<tail>.*))?", re.DOTALL)
_BARE = re.compile(r"section_(?P<section>\d\d)_(\d+)(_(?P<tail>.*))?", re.DOTALL)


class UnknownSupplementError(AsdError):
    """Raised for a name that does not say the section of a supplement, or what it is a recording of."""


@dataclass(frozen=True)
class Supplement:
    """What is known about a supplement."""

    section: str
    kind: str  # clean or noise
    domain: str | None  # None for noise whose name has none
    tail: str  # the attributes as written in the name


def read_name(path: Path, stated: str | None = None) -> Supplement:
    """Return what a supplement's name says; `stated` is the kind that the dataset's block states, which decides.

    Raises UnknownSupplementError for a name without a section, without a kind that is not stated, or of an anomaly:
    clean sound is what separators train on.
    """
    match = _NAME.fullmatch(path.stem) or _BARE.fullmatch(path.stem)
    if not match:
        raise UnknownSupplementError(_problem(path))
    words = (match.groupdict().get("words") or "").split("_")
    found = {KINDS[word] for word in words if word in KINDS}
    kind = stated or (found.pop() if len(found) == 1 else None)
    if not kind:
        raise UnknownSupplementError(_problem(path))
    if "anomaly" in words:
        raise UnknownSupplementError(f"{path}: an anomaly among the supplements: move it to test/, or rename it")
    usual = "source" if kind == "clean" else None  # clean sound is recorded in the source domain
    domain = next((word for word in words if word in ("source", "target")), usual)
    return Supplement(match["section"], kind, domain, match["tail"] or "")


def _problem(path: Path) -> str:
    return (
        f"{path}: not the name of a supplement: use section_<NN>_machine_<NNNN>… or section_<NN>_noise_<NNNN>…, or "
        "state the machine's kind under `supplements` in the dataset's block"
    )
