"""The datasets of a run: their machines, their sections and the origin of their recordings."""

import hashlib
import os
import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from asdlib.data.channels import Channel
from asdlib.data.layouts.folders import CHALLENGE
from asdlib.data.layouts.table import is_table
from asdlib.data.listing import (
    TEST_FOLDERS,
    entries,
    is_file,
    is_folder,
    machine_files,
    recordings,
    recordings_to_test,
    status,
)
from asdlib.errors import AsdError
from asdlib.workflow import paths
from asdlib.workflow.names import RULE, examples
from asdlib.workflow.own_machines import OwnMachine, in_folder, in_table, no_machine
from asdlib.workflow.section import Section
from asdlib.workflow.words import CORPUS, NAME, SCORED

_SECTION = re.compile(r"(?:section|(?:(?:normal|anomaly)_)?id)_(\d\d)_")


@dataclass(frozen=True)
class Dataset:
    """One dataset of the run.

    Its recordings are in the user's `folder` or `own` places, or a job fetches them from `source`.
    """

    name: str
    machines: dict[str, tuple[str, ...]]  # machine → sections
    folder: Path | None
    source: dict[str, Any] | None
    year: int | None
    ground_truth: dict[str, Any] | None
    noise_pool: Path | None = None  # a folder of background noise, for separators and augmentations
    channel: Channel = None  # of recordings that are not mono, unless the run's `prepare` names another
    clips: dict[str, int] | None = None  # declared numbers of clips per section, used only by `asdlib plan`
    supplements: dict[str, str] = field(default_factory=dict)  # machine → clean or noise, where the block states it
    own: dict[str, OwnMachine] = field(default_factory=dict)  # machines in a table or another layout
    understood: tuple[str, ...] = ()  # how that table or layout was understood, to be printed
    test_share: float = 0.0

    @property
    def official(self) -> bool:
        """Whether the recordings are archives of the challenge: attributes may be wrong, names of supplements new."""
        return self.source is not None and self.source["kind"] == "zenodo"

    @property
    def sections(self) -> list[Section]:
        """The sections of all machines."""
        return [Section(self.name, machine, number) for machine, owned in self.machines.items() for number in owned]

    def recordings(self, machine: str) -> Path:
        """Return the folder or table of a machine's recordings."""
        return self.by_hand(machine) or Path(paths.recordings(self.name, machine))

    def layout(self, machine: str) -> str:
        """Return the layout of a machine's recordings."""
        return self.own[machine].layout if machine in self.own else CHALLENGE

    def fingerprint(self, machine: str) -> str | None:
        """Return a fingerprint of a user's recordings of a machine and of what is known about them; None of others."""
        by_hand = self.by_hand(machine)
        return self.own[machine].fingerprint() if machine in self.own else by_hand and fingerprint(by_hand)

    def by_hand(self, machine: str) -> Path | None:
        """Return the folder or table of recordings that the user provides for a machine; None if a job fetches them.

        Raises AsdError if the place for the user's recordings is taken by something else.
        """
        if machine in self.own:
            return self.own[machine].place
        if self.folder:
            return self.folder / machine
        place = Path(paths.own_recordings(self.name, machine))
        if not os.path.lexists(place):
            return None
        if not _is_machine(place):
            raise AsdError(f"{place}: has neither train nor test: add recordings, or remove it to have them fetched")
        return place


def select(config: dict[str, Any]) -> dict[str, Dataset]:
    """Return the datasets in `config["data"]`: names of declared datasets, folders, or tables of clips."""
    asked = config["data"] if isinstance(config["data"], list) else [config["data"]]
    chosen: dict[str, Dataset] = {}
    for entry in asked:
        dataset = _declared(entry, config) if entry in config["datasets"] else _from_path(entry, config)
        if dataset.name in chosen:
            raise AsdError(f"config: data: two datasets are named {dataset.name}: rename a folder, or list it once")
        chosen[dataset.name] = dataset
    return chosen


def declared(name: str, config: dict[str, Any], asked_by: str) -> Dataset:
    """Return a declared dataset by its name; `asked_by` begins the error message for an unknown name."""
    if name not in config["datasets"]:
        raise AsdError(f"{asked_by}: there is no dataset {name!r}: use one of: {', '.join(sorted(config['datasets']))}")
    return _declared(name, config)


def fingerprint(folder: Path) -> str:
    """Return a fingerprint of a machine's recordings and tables: their relative names, sizes and modification times."""
    files = machine_files(folder)
    return _digest({**files.recordings, **files.tables})


def pool_fingerprint(folder: Path) -> str:
    """Return a fingerprint of the recordings of a noise pool, made as in `fingerprint`."""
    return _digest({entry.name: entry for entry in recordings(folder)})


def _digest(files: dict[str, os.DirEntry]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        found = status(files[name])
        digest.update(os.fsencode(name) + f"\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]


def _declared(name: str, config: dict[str, Any]) -> Dataset:
    block = config["datasets"][name]
    where = f"config: datasets.{name}"
    pool = _noise_pool(block, config, where)
    if "folder" in block:
        dataset = _read(name, _path(block["folder"]), f"{where}.folder", {**config, **block}, pool)
    else:
        sections, truth = _declared_sections(name, block, block["machines"]), block.get("ground_truth")
        dataset = Dataset(name, sections, None, block["source"], block.get("year"), truth, pool)
        dataset = replace(dataset, clips=block.get("clips"))
    stated = block.get("supplements", {})
    for machine in stated:
        if machine not in dataset.machines:
            known = ", ".join(dataset.machines)
            raise AsdError(f"{where}.supplements: there is no machine {machine}: use one of: {known}")
    return replace(dataset, supplements=stated, channel=block.get("channel"))


def _noise_pool(block: dict[str, Any], config: dict[str, Any], where: str) -> Path | None:
    """Return the dataset's own noise pool, otherwise the run's, otherwise None."""
    if block.get("noise_pool"):
        given, where = block["noise_pool"], f"{where}.noise_pool"
    elif config["noise_pool"]:
        given, where = config["noise_pool"], "config: noise_pool"
    else:
        return None
    folder = _path(given)
    if not is_folder(folder) or not recordings(folder):
        raise AsdError(f"{where}: {folder} is not a folder with recordings of noise: correct the path")
    return folder


def _path(text: str) -> Path:
    """Return a path of the config with `~` expanded; the `~name` of an unknown user stays as it is."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def _declared_sections(name: str, block: dict[str, Any], machines: list[str]) -> dict[str, tuple[str, ...]]:
    sections = block.get("sections", ["00"])
    per_machine = sections if isinstance(sections, dict) else dict.fromkeys(machines, sections)
    for machine in machines:
        if not per_machine.get(machine):
            raise AsdError(f"config: datasets.{name}.sections: machine {machine} has none: add them")
    return {machine: tuple(per_machine[machine]) for machine in machines}


def _from_path(entry: str, config: dict[str, Any]) -> Dataset:
    path = _path(entry)
    table = is_table(path) and is_file(path)
    if not entry or not (table or is_folder(path)):
        names = ", ".join(sorted(config["datasets"]))
        raise AsdError(
            f"config: data: {entry!r} is neither a folder nor a declared dataset nor a table of clips: use a path, or "
            f"one of: {names}"
        )
    whole = Path(os.path.abspath(path))  # noqa: PTH100 (resolve() would follow a link and return the name of its target)
    name, what = (whole.stem, "file") if table else (whole.name, "folder")
    if not re.fullmatch(NAME, name):
        raise AsdError(f"config: data: {entry}: a dataset is named after its {what}: use {RULE}{examples([name])}")
    if name in (CORPUS, SCORED):
        raise AsdError(f"config: data: {entry}: {name} is a reserved name: rename the {what}")
    if name in config["datasets"]:
        raise AsdError(
            f"config: data: {entry}: {name} is a declared dataset: rename the {what}, or declare it under datasets"
        )
    block = {key: value for key, value in config.items() if key == "test_share"}
    return _read(name, path, "config: data", block, _noise_pool({}, config, "config: data"))


def _read(name: str, path: Path, where: str, block: dict[str, Any], pool: Path | None) -> Dataset:
    """Return the dataset of a folder or a table; `block` has the keys of the dataset's block, and `test_share`."""
    share = block["test_share"]
    if is_table(path) and is_file(path):
        found, said = in_table(path, where, share)
    elif is_folder(path):
        found, said = in_folder(path, where, name, share, block.get("machines"))
    else:
        raise AsdError(f"{where}: {path} is not a folder: correct the path")
    machines = _chosen(found, path, where, block.get("machines"))
    own = {machine: one for machine in machines if (one := found[machine])}
    if "sections" in block:
        sections = _declared_sections(name, block, machines)
    else:
        sections = {
            machine: own[machine].sections if machine in own else _sections(path / machine) for machine in machines
        }
    return Dataset(
        name, sections, path, None, block.get("year"), None, pool, own=own, understood=tuple(said), test_share=share
    )


def _chosen(found: Collection[str], path: Path, where: str, asked: list[str] | None) -> list[str]:
    """Return the machines that are asked for, or all. Raises AsdError if there is none, or one is missing."""
    machines = list(found) if asked is None else asked
    if not machines:
        raise AsdError(f"{where}: {no_machine(path, where)}")
    for machine in machines:
        if machine not in found and is_table(path):
            raise AsdError(f"{where}: {path}: has no machine {machine}: use one of: {', '.join(found)}")
        if machine not in found:
            raise AsdError(
                f"{where}: {path / machine} has neither train nor test: add recordings, or remove the machine"
            )
    return machines


def _is_machine(folder: Path) -> bool:
    splits = ("train", *TEST_FOLDERS)
    return is_folder(folder) and any(entry.name.lower() in splits and is_folder(entry) for entry in entries(folder))


def _sections(machine: Path) -> tuple[str, ...]:
    """Return the sections (in 2020: machine IDs) in the names of the test clips; 00 if the names have none."""
    found = {match.group(1) for entry in recordings_to_test(machine) if (match := _SECTION.match(entry.name))}
    return tuple(sorted(found)) or ("00",)
