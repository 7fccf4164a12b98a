"""Where a dataset's recordings can come from, by the `kind` of its source.

A source has `fetch(machine, folder, dataset, network, lock)`: make the machine's folder, whole or not at all.
One that makes recordings also says beforehand how many of each kind: `count(machine)`.
"""

from asdlib.data.demo.dataset import DemoSettings
from asdlib.data.sources.zenodo import Zenodo

SOURCES: dict[str, type] = {"demo": DemoSettings, "zenodo": Zenodo}
