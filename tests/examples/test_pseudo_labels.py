"""Pseudo-labels reach the clips that they belong to, and become classes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from asdlib.data.tables import clip_rows, writing
from asdlib.errors import AsdError
from asdlib.examples.clips import Clips
from asdlib.examples.pseudo_labels import CLUSTER, NONE, labelled_classes, with_clusters

ROW = {"section": "00", "domain": "source", "attributes": {}, "kind": "train"}


def labels(path: Path, machine: str, clusters: dict[str, int], dataset: str = "toy") -> Path:
    """Write a table of pseudo-labels, {name of the file: cluster}."""
    rows = [{**ROW, "clip": name, "source_file": f"train/{name}.wav"} for name in clusters]
    with writing(path, {}, {"dataset": dataset, "machine": machine}, **{CLUSTER: ("int32", (1,))}) as table:
        table.write(clip_rows(rows), **{CLUSTER: np.array(list(clusters.values()), np.int32)[:, None]})
    return path


def clips(*named: tuple[str, str, str], dataset: str = "toy", **changes) -> Clips:
    """Return clips: (machine, name, name of the recording)."""
    table = clip_rows([{**ROW, "clip": name, "source_file": f"train/{file}.wav", **changes} for _, name, file in named])
    table = table.append_column("dataset", pa.array([dataset] * len(named)))
    return Clips(
        table.append_column("machine", pa.array([machine for machine, _, _ in named])), torch.zeros(len(named))
    )


def test_a_clip_has_the_label_of_its_recording_on_its_machine(tmp_path: Path) -> None:
    tables = [labels(tmp_path / "a", "fan", {"x": 2, "y": NONE}), labels(tmp_path / "b", "pump", {"x": 5})]
    given = clips(("fan", "x", "x"), ("pump", "x", "x"), ("fan", "x_separated", "x"), ("fan", "y", "y"))
    assert with_clusters(given, tables).column(CLUSTER) == [2, 5, 2, NONE]


def test_a_clip_without_a_label_is_named(tmp_path: Path) -> None:
    tables = [labels(tmp_path / "a", "fan", {"x": 2})]
    with pytest.raises(AsdError, match=r"toy/fan: train/z\.wav has no pseudo-label: delete the table"):
        with_clusters(clips(("fan", "z", "z")), tables)


def test_classes_are_attributes_or_clusters(tmp_path: Path) -> None:
    tables = [labels(tmp_path / "a", "fan", {"x": 2, "y": NONE})]
    plain = clips(("fan", "x", "x"), ("fan", "y", "y"))
    assert labelled_classes(with_clusters(plain, tables)) == ["00, fan, source, cluster 2 of toy", "00, fan, source"]
    assert labelled_classes(plain) == ["00, fan, source"] * 2
    low = [labels(tmp_path / "c", "fan", {"x": 0, "y": 1})]  # clusters are numbered from 0
    numbered = ["00, fan, source, cluster 0 of toy", "00, fan, source, cluster 1 of toy"]
    assert labelled_classes(with_clusters(plain, low)) == numbered
    known = with_clusters(clips(("fan", "y", "y"), attributes={"spd": "1"}), tables)
    assert labelled_classes(known) == ["00, fan, source, spd=1"]


def test_clusters_of_two_datasets_are_different_classes_and_attributes_are_the_same(tmp_path: Path) -> None:
    """Each dataset of a machine is divided into clusters by itself."""
    found = []
    for dataset in ("dcase2022_dev", "dcase2025_dev"):
        given = clips(("fan", "x", "x"), ("fan", "y", "y"), dataset=dataset)
        table = labels(tmp_path / dataset, "fan", {"x": 2, "y": NONE}, dataset)
        found.append(labelled_classes(with_clusters(given, [table])))
    assert found[0][0] != found[1][0]
    assert found[0][1] == found[1][1]
