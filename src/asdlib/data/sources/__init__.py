"""The registry of sources: where a dataset's recordings come from, by `kind`.

A source has a method `fetch(machine, folder, dataset, network, lock)`, which creates the machine's folder completely or
not at all. A source that synthesises recordings also has `count(machine)`, the number of clips of each kind.
"""

from asdlib.data.demo.dataset import DemoSettings
from asdlib.data.sources.zenodo import Zenodo

SOURCES: dict[str, type] = {"demo": DemoSettings, "zenodo": Zenodo}
