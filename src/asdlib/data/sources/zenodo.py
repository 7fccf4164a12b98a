"""The source `zenodo`: recordings from Zenodo, with the published ground truth of evaluation sets."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from asdlib.data.fetching.ground_truth import fetch_truth
from asdlib.data.fetching.retry import Network
from asdlib.data.fetching.zenodo import Arrived, arrived, download_machine


@dataclass(frozen=True)
class Zenodo:
    """A dataset's archives, each `{record: <number>, file: "…{machine}….zip", rename: {<machine>: <file>}}`."""

    archives: list[dict]

    def fetch(self, machine: str, folder: Path, dataset: dict[str, Any], network: Network, lock: Path) -> None:
        """Create the machine's `folder`: fetch, verify and unpack its archives, and add the ground truth if set."""
        block, store = self._block(machine, dataset), _store(folder)
        add_truth = partial(_add_truth, block, machine, store, lock, network)
        download_machine(
            block,
            machine,
            folder,
            archives_dir=store,
            own_archives=Path(dataset["own_archives"]),
            lock_file=lock,
            base=network.zenodo,
            retry=network.retry,
            parallel=network.parallel,
            finish=add_truth if dataset["ground_truth"] else None,
        )

    def arrived(self, machine: str, folder: Path, dataset: dict[str, Any], lock: Path) -> list[Arrived]:
        """Return how much of each archive is here that `fetch` would need for the same arguments."""
        own = Path(dataset["own_archives"])
        block = self._block(machine, dataset)
        return arrived(block, machine, archives_dir=_store(folder), own_archives=own, lock_file=lock)

    def _block(self, machine: str, dataset: dict[str, Any]) -> dict[str, Any]:
        return {**dataset, "source": {"archives": self.archives}, "machines": [machine]}


def _store(folder: Path) -> Path:
    """Return where the archives of a machine's folder are kept."""
    return folder.parent / "archives"


def _add_truth(block: dict[str, Any], machine: str, store: Path, lock: Path, network: Network, folder: Path) -> None:
    fetch_truth(
        block,
        machine,
        folder,
        cache=store / "truth",
        lock_file=lock,
        github=network.github,
        zenodo=network.zenodo,
        retry=network.retry,
    )
