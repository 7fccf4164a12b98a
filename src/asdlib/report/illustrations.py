"""Files with the illustrations of one system and machine, written by `illustrate` and read by `report`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asdlib.data.files import atomic
from asdlib.errors import AsdError


def write_illustrations(path: Path, content: dict[str, Any]) -> None:
    """Write one system's illustrations of one machine."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, sort_keys=True), encoding="utf-8")


def read_illustrations(path: Path) -> dict[str, Any]:
    """Return the illustrations of a file; raise AsdError if it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not {"sections", "clips"} <= content.keys():
            raise ValueError("it holds no illustrations")
        return content
    except (OSError, ValueError, AttributeError) as error:
        raise AsdError(f"{path}: cannot be read ({error}): delete it and run again") from error


def joined_clips(paths: list[Path]) -> Iterator[dict[str, Any]]:
    """Yield each clip that any of the systems shows of one machine, with all its sounds and the reasons it is shown."""
    clips: dict[tuple[str, str], dict[str, Any]] = {}
    for path in paths:
        for clip in read_illustrations(path)["clips"]:
            same = clips.setdefault((clip["section"], clip["clip"]), {**clip, "sounds": [], "shown": []})
            known = {sound["view"] for sound in same["sounds"]}
            same["sounds"] += [sound for sound in clip["sounds"] if sound["view"] not in known]
            same["shown"] += clip["shown"]
    yield from sorted(clips.values(), key=_place)


def _place(clip: dict[str, Any]) -> int:
    """Return the place of a clip: most anomalous ones first, then least anomalous ones, then all others."""
    return ("most", "least").index(clip["shown"][0]["end"]) if clip["shown"] else 2
