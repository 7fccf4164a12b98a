"""The illustrations of a system and machine: written by the step `illustrate`, joined by the step `report`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asdlib.data.files import atomic
from asdlib.errors import AsdError


def write_part(path: Path, part: dict[str, Any]) -> None:
    """Write one system's illustrations of one machine."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(part, sort_keys=True), encoding="utf-8")


def read_part(path: Path) -> dict[str, Any]:
    """Return them."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AsdError(f"{path}: cannot be read ({error}): delete it and run again") from error


def joined_clips(paths: list[Path]) -> Iterator[dict[str, Any]]:
    """Yield the clips that several systems show of one machine, each once: all its sounds, and why it is shown."""
    clips: dict[tuple[str, str], dict[str, Any]] = {}
    for path in paths:
        for clip in read_part(path)["clips"]:
            same = clips.setdefault((clip["section"], clip["clip"]), {**clip, "sounds": [], "shown": []})
            known = {sound["view"] for sound in same["sounds"]}
            same["sounds"] += [sound for sound in clip["sounds"] if sound["view"] not in known]
            same["shown"] += clip["shown"]
    yield from sorted(clips.values(), key=lambda clip: clip["shown"][0]["end"] != "most")
