"""The registry of sources: where a dataset's recordings come from, by `kind`.

A source has a method `fetch(machine, folder, dataset, network, lock)`, which creates the machine's folder completely or
not at all. A source that synthesises recordings also has `count(machine)`, the number of clips of each kind; one that
fetches archives has `arrived(machine, folder, dataset, lock)`, how much of them is here.
"""

from asdlib.data.demo.dataset import DemoSettings
from asdlib.data.sources.zenodo import Zenodo

SOURCES: dict[str, type] = {"demo": DemoSettings, "zenodo": Zenodo}
