"""Sections: the smallest sets of clips for which metrics are computed."""

from typing import NamedTuple


class Section(NamedTuple):
    """A section, such as "00", of a machine in a dataset."""

    dataset: str
    machine: str
    section: str
