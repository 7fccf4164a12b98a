"""A section: the smallest set of clips that has figures of its own."""

from typing import NamedTuple


class Section(NamedTuple):
    """One section, such as "00", of a machine of a dataset."""

    dataset: str
    machine: str
    section: str
