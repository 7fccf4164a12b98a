"""What the names of a machine's folders were taken for, as a line to print: names decide labels, and may be misread."""

from collections import Counter
from collections.abc import Sequence

from asdlib.data.layouts.folders import FLAT, MVTEC
from asdlib.data.layouts.recording import Recording

_DIRECT = "directly in it"


def meanings(recordings: Sequence[Recording], machine: str, layout: str) -> list[str]:
    """Return a line for each folder of a machine whose inner folders decide labels, with counts.

    It is like `press/test: OK 10 normal, to_judge 4 without a label, bent 1 anomaly`.
    """
    if layout not in (MVTEC, FLAT):
        return []
    counts: dict[str, Counter[tuple[str, str]]] = {}
    for one in recordings:
        *folders, _ = one.file.split("/")
        if layout == FLAT:
            place = machine
        elif folders[0].lower() == "test":
            place = f"{machine}/{folders.pop(0)}"
        else:
            continue
        counts.setdefault(place, Counter())[folders[0] if folders else _DIRECT, _meaning(one)] += 1
    return [
        f"{place}: {', '.join(_counted(*of, number) for of, number in found.items())}"
        for place, found in counts.items()
        if layout == MVTEC or {folder for folder, _ in found} != {_DIRECT}
    ]


def _meaning(recording: Recording) -> str:
    return "noise" if recording.kind == "noise" else recording.label or "without a label"


def _counted(folder: str, meaning: str, number: int) -> str:
    word = "anomalies" if meaning == "anomaly" and number > 1 else meaning
    return f"{folder} {number} {word}"
