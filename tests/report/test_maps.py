"""Maps of embeddings: the clips on them, and when there is no map."""

from pathlib import Path

import numpy as np
import pytest

from asdlib.data.tables import ClipTable, clip_rows, writing
from asdlib.report import maps
from asdlib.report.maps import clips_and_values, embedding_map


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return twelve training and six test clips with a vector, a single value, and a vector that is not finite."""
    rng = np.random.default_rng(0)
    path = tmp_path / "fan.parquet"
    shapes = {"latent": ("float32", (5,)), "error": ("float32", (1,)), "endless": ("float32", (2,))}
    with writing(path, {}, **shapes) as written:
        for kind, count in (("train", 12), ("test", 6)):
            values = {"latent": rng.normal(size=(count, 5)), "error": rng.normal(size=(count, 1)),
                      "endless": np.full((count, 2), np.inf)}  # fmt: skip
            rows = clip_rows([_row(kind, number) for number in range(count)])
            written.write(rows, **{name: array.astype(np.float32) for name, array in values.items()})
    return path


def _row(kind: str, number: int) -> dict:
    labels = {"train": "normal", "test": ("normal", "anomaly", None)[number % 3]}
    facts = {"clip": f"{kind}{number}", "section": "00", "domain": "source" if number % 2 else "target"}
    facts |= {"split": kind, "label": labels[kind], "attributes": {}, "kind": kind, "samples": 1}
    return facts | {"recorded_samples": 1, "frames": None, "source_file": f"{kind}/{number}.wav"}


def test_a_map_shows_all_clips_and_is_the_same_twice(table: Path) -> None:
    one = embedding_map(table, "latent", "00", 100, "latent of toy")
    assert one["flaw"] is None
    assert "latent of toy" in one["picture"]["alt"]
    assert "6 training, source" in one["picture"]["alt"]
    assert "1 test anomaly, target" in one["picture"]["alt"]
    assert "1 test without label, source" in one["picture"]["alt"]
    assert embedding_map(table, "latent", "00", 100, "latent of toy") == one


def test_training_clips_are_thinned_and_test_clips_are_not(table: Path) -> None:
    alt = embedding_map(table, "latent", "00", 4, "latent")["picture"]["alt"]
    counts = [int(part.split()[0]) for part in alt.split(": ")[1].split("; ")]
    assert sum(counts) == 4 + 6


def test_thinned_training_clips_are_evenly_spaced_from_the_first_to_the_last(table: Path) -> None:
    clips, values = clips_and_values(table, "latent", "00", 4)
    chosen = [0, 4, 7, 11]  # of 12: every 11/3, rounded
    assert [clip["clip"] for clip in clips] == [f"train{n}" for n in chosen] + [f"test{n}" for n in range(6)]
    train, test = (ClipTable(table).load("latent", kind)[1] for kind in ("train", "test"))
    np.testing.assert_array_equal(values, np.concatenate([train[chosen], test]))


def test_the_points_are_the_standardised_clips_principal_components_and_those_of_t_sne_are_the_places(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maps, "picture", lambda figure, alt: {"panels": figure.axes})
    drawn = embedding_map(table, "latent", "00", 100, "")["picture"]
    pca, tsne = drawn["panels"]
    clips, values = clips_and_values(table, "latent", "00", 100)
    left, singular, _ = np.linalg.svd((values - values.mean(0)) / values.std(0), full_matrices=False)
    share = 100 * (singular[:2] ** 2).sum() / (singular**2).sum()
    assert [axes.get_title() for axes in (pca, tsne)] == [f"PCA, {share:.0f} % of the variance", "t-SNE"]
    groups = {}
    for number, clip in enumerate(clips):
        what = "training" if clip["kind"] == "train" else f"test {clip['label'] or 'without label'}"
        groups.setdefault(f"{what}, {clip['domain']}", []).append(number)
    plane = np.empty((len(clips), 2))
    assert {group.get_label() for group in pca.collections} == set(groups)
    for flat, curved in zip(pca.collections, tsne.collections, strict=True):
        own = groups[flat.get_label()]
        np.testing.assert_allclose(np.abs(flat.get_offsets()), np.abs((left * singular)[own, :2]), atol=1e-6)
        plane[own] = curved.get_offsets()
    shares = 1000 * (plane - plane.min(0)) / (plane.max(0) - plane.min(0))
    for clip, share in zip(clips, shares, strict=True):
        if clip["kind"] == "test":
            assert drawn["places"][clip["source_file"].rpartition("/")[2]] == pytest.approx(share, abs=0.5001)


@pytest.mark.parametrize(
    ("representation", "flaw"),
    [
        ("error", "the embedding has one number per clip"),
        ("endless", "a value is not finite"),
        (None, "a value is not finite"),  # among others
    ],
)
def test_what_has_no_plane_has_no_map(table: Path, representation: str | None, flaw: str) -> None:
    assert embedding_map(table, representation, "00", 100, "") == {"picture": None, "flaw": flaw}


def test_too_few_clips_have_no_map(table: Path) -> None:
    assert embedding_map(table, "latent", "00", 1, "") == {"picture": None, "flaw": "there are fewer than 8 clips"}


def test_no_two_groups_differ_by_colour_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "picture", lambda figure, alt: figure)
    kinds = [("train", "normal"), ("test", "normal"), ("test", "anomaly"), ("test", None)]
    clips = [{"kind": kind, "label": label, "domain": domain} for kind, label in kinds
             for domain in ("source", "target", None)]  # fmt: skip
    (axes,) = maps._draw(clips, {"plane": np.zeros((len(clips), 2))}, "").axes
    looks = [
        (str(group.get_paths()[0].vertices), len(group.get_facecolor()), len(group.get_edgecolor()))
        for group in axes.collections
    ]
    assert len(looks) == len(set(looks)) == len(clips)


def test_every_test_clip_has_its_place_on_the_map(table: Path) -> None:
    places = embedding_map(table, "latent", "00", 4, "latent")["picture"]["places"]
    assert sorted(places) == [f"{number}.wav" for number in range(6)]
    assert all(0 <= share <= 1000 for place in places.values() for share in place)
    assert len({tuple(place) for place in places.values()}) == 6
