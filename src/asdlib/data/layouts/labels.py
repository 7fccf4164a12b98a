"""How each layout states labels, and tables of labels that nothing reads."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from asdlib.data.layouts.folders import CHALLENGE, FLAT, MIMII, MVTEC
from asdlib.data.layouts.machine_clips import TABLE
from asdlib.data.listing import TRUTH_FILE, entries, is_folder

_OR_TABLE = "or use a table of clips with a column label"
# How test clips get labels. Normal clips of the layout flat are trained on, so that it has no folder for such clips.
REMEDIES = {
    CHALLENGE: f"add labels in {TRUTH_FILE} in the machine's folder",
    MIMII: f"move clips into id_<NN>/normal and id_<NN>/abnormal, {_OR_TABLE}",
    MVTEC: f"move clips into test/good and test/abnormal, {_OR_TABLE}",
    FLAT: f"move anomalies into a folder abnormal, or all into train, test/good and test/abnormal, {_OR_TABLE}",
    TABLE: "add labels in the column label of the table",
}


def unread_truth(top: Path, machines: Iterable[tuple[str, Path, Iterable[Path]]]) -> Iterator[str]:
    """Yield a line for each `ground_truth.csv` that nothing reads.

    `top` is the dataset's folder or table, and a machine is its layout, its folder or table, and its recordings.
    Machines in the layout of the challenge are not among them: it reads the table in a machine's folder, and says
    itself which others it does not.
    """
    layouts: dict[Path, str] = {}
    for layout, place, recordings in machines:
        inside = place if is_folder(place) else place.parent
        innermost = {path.parent for path in recordings}  # few: a path has many parents, and a dataset many paths
        own = {folder for inner in innermost for folder in (inner, *inner.parents)}
        own = {folder for folder in own if folder.is_relative_to(inside)}
        layouts |= dict.fromkeys(sorted({inside, *own}), layout)
    if is_folder(top):
        layouts.setdefault(top, "")
    for folder, layout in layouts.items():
        for path in (Path(entry) for entry in entries(folder) if entry.name.lower() == TRUTH_FILE):
            if path != top:
                yield f"{path}: {_not_read(layout)}"


def _not_read(layout: str) -> str:
    if not layout:
        return "is not read beside the folders of machines: move it into one of the layout challenge, or remove it"
    where = "beside a table" if layout == TABLE else f"in this layout ({layout})"
    return f"is not read {where}: {REMEDIES[layout]}"
