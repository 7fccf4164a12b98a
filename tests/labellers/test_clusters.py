"""Clusters in place of attributes: how many, of which clips, and always the same ones."""

import numpy as np
import pyarrow as pa
import pytest

from asdlib.data.tables import clip_rows
from asdlib.errors import AsdError
from asdlib.examples.pseudo_labels import NONE
from asdlib.labellers import LABELLERS
from asdlib.labellers.clusters import Clusters


def table(*parts: tuple[int, str, str | None, dict]) -> pa.Table:
    """Return the metadata of clips: (how many, section, domain, attributes)."""
    rows = [
        {"section": section, "domain": domain, "attributes": attributes}
        for count, section, domain, attributes in parts
        for _ in range(count)
    ]
    return clip_rows([{**row, "clip": str(number)} for number, row in enumerate(rows)])


def vectors(count: int, states: int = 7, seed: int = 0) -> np.ndarray:
    """Return vectors of clips in states that lie far apart; a clip's state is its number, modulo `states`."""
    draw = np.random.default_rng(seed)
    return (draw.normal(size=(states, 12))[np.arange(count) % states] * 10 + draw.normal(size=(count, 12))).astype("f4")


def test_as_many_clusters_as_published_for_a_machine_of_the_challenge() -> None:
    clips = table((990, "00", "source", {}), (10, "00", "target", {}))
    found = Clusters().label(clips, vectors(1000))
    assert found.dtype == np.int32
    assert set(found[:990].tolist()) == set(range(7))
    assert set(found[990:].tolist()) == {0}
    states = [set(found[:990][np.arange(990) % 7 == state].tolist()) for state in range(7)]
    assert all(len(one) == 1 for one in states)
    assert len(set.union(*states)) == 7


def test_the_same_clips_get_the_same_clusters() -> None:
    clips, heard = table((300, "00", "source", {})), np.random.default_rng(1).normal(size=(300, 5))
    first, again = (Clusters(share=0.02).label(clips, heard.copy()) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = Clusters(share=0.02, random_state=1, restarts=1).label(clips, heard)
    assert (other != first).any()


def test_few_clips_are_one_cluster_in_each_domain() -> None:
    clips = table((30, "00", "source", {}), (4, "00", "target", {}), (1, "00", None, {}))
    assert Clusters().label(clips, vectors(35)).tolist() == [0] * 35


def test_attributes_are_the_label_where_there_are_any() -> None:
    clips = table((3, "00", "source", {"spd": "1"}), (4, "00", "source", {}))
    found = Clusters(share=0.5).label(clips, vectors(7, states=2))
    assert found[:3].tolist() == [NONE] * 3
    assert set(found[3:].tolist()) == {0, 1}


def test_sections_and_domains_are_divided_by_themselves() -> None:
    clips = table((8, "00", "source", {}), (8, "01", "source", {}), (8, "01", "target", {}))
    heard = vectors(24, states=2)
    together = Clusters(share=0.25).label(clips, heard)
    for start in (0, 8, 16):
        alone = Clusters(share=0.25).label(clips.slice(start, 8), heard[start : start + 8])
        np.testing.assert_array_equal(together[start : start + 8], alone)


def test_copies_of_a_recording_make_no_empty_cluster() -> None:
    heard = np.repeat(vectors(2, states=2), 5, axis=0)
    found = Clusters(share=0.5).label(table((10, "00", "source", {})), heard)
    assert set(found.tolist()) == {0, 1}


def test_bands_are_joined() -> None:
    clips, heard = table((20, "00", "source", {})), vectors(20, states=3)
    np.testing.assert_array_equal(
        Clusters(share=0.15).label(clips, heard.reshape(20, 3, 4)), Clusters(share=0.15).label(clips, heard)
    )


def test_the_number_of_classes_is_known_without_embeddings() -> None:
    clips = table((990, "00", "source", {}), (10, "00", "target", {}), (5, "00", "target", {"spd": "1"}))
    found, expected = Clusters().label(clips, vectors(1005)), Clusters().expected(clips)
    for rows in (slice(0, 990), slice(990, 1000), slice(1000, 1005)):
        assert set(found[rows].tolist()) == set(expected[rows].tolist())


@pytest.mark.parametrize("settings", [{"share": 0.0}, {"share": 1.1}, {"restarts": 0}])
def test_bad_settings_are_named(settings: dict) -> None:
    with pytest.raises(
        AsdError, match=r"labeller clusters: share .*, restarts .*: use a share up to 1, and 1 restart or more"
    ):
        Clusters(**settings)


def test_every_labeller_says_what_it_reads() -> None:
    assert all(isinstance(made().representation, str) for made in LABELLERS.values())
