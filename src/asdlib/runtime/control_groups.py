"""The control groups of this process, which limit what a container or an allocation of SLURM may use."""

from collections.abc import Iterator
from pathlib import Path


def folders(controller: str, root: Path = Path("/")) -> Iterator[Path]:
    """Yield the folders of this process's control group and of the groups above it, of version 1 and of version 2."""
    for line in text_of(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        for found in {"", controller} & set(controllers.split(",")):  # version 2 has one hierarchy for all
            top = root / "sys/fs/cgroup" / found
            folder = top / group.lstrip("/")
            yield from (place for place in (folder, *folder.parents) if place.is_relative_to(top))


def text_of(path: Path) -> str:
    """Return what a file of a control group says; nothing if there is no such file."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
