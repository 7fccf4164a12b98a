"""The classes that a joint training of all machines tells apart."""

from asdlib.blocks.clips import Clips
from asdlib.blocks.whole_clips import conditions


def class_names(clips: Clips, domain: bool = True) -> list[str]:
    """Return each clip's section, machine type, domain and attributes as one name: "00, fan, source, m-n=X"."""
    sections = clips.column("section")
    return [f"{section}, {name}" for section, name in zip(sections, conditions(clips, domain), strict=True)]
