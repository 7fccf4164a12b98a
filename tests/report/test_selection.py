"""The most and the least anomalous clips."""

from asdlib.report.selection import ends, foremost, spread


def rows(*scores: float) -> list[dict]:
    return [{"clip": f"{number}.wav", "anomaly_score": str(score)} for number, score in enumerate(scores)]


def chosen(count: int, *scores: float) -> list[tuple]:
    return [(row["clip"], row["end"], row["rank"], row["of"]) for row in ends(rows(*scores), count)]


def test_both_ends() -> None:
    assert chosen(1, 0.5, -2, 3, 1e3) == [("3.wav", "most", 1, 4), ("1.wav", "least", 4, 4)]
    assert chosen(2, 9, 10, -1, 0.1, 5) == [
        ("1.wav", "most", 1, 5), ("0.wav", "most", 2, 5), ("2.wav", "least", 5, 5), ("3.wav", "least", 4, 5),
    ]  # fmt: skip


def test_equal_scores_follow_their_names() -> None:
    assert chosen(1, 1, 1, 1) == [("0.wav", "most", 1, 3), ("2.wav", "least", 3, 3)]
    assert [row["clip"] for row in ends(rows(1, 1, 1)[::-1], 1)] == ["0.wav", "2.wav"]


def test_no_clip_is_at_both_ends() -> None:
    assert chosen(2, 1, 2, 3) == [("2.wav", "most", 1, 3), ("1.wav", "most", 2, 3), ("0.wav", "least", 3, 3)]
    assert chosen(1, 1) == [("0.wav", "most", 1, 1)]


def test_further_clips_are_evenly_spaced_by_name_whatever_their_scores() -> None:
    one, other = rows(5, 4, 3, 2, 1), rows(1, 2, 3, 4, 5)
    assert [row["clip"] for row in spread([*one, *other], 3)] == ["0.wav", "2.wav", "4.wav"]
    assert [row["clip"] for row in spread(one[::-1], 3)] == ["0.wav", "2.wav", "4.wav"]
    assert spread(one, 3)[0]["clip"] == spread(other, 3)[0]["clip"]
    assert [row["clip"] for row in spread(one, 9)] == [row["clip"] for row in one]
    assert spread(one, 0) == []
    assert spread([], 3) == []


def test_without_labels_the_clips_that_any_variant_ranks_highest_are_heard() -> None:
    one = [{**row, "variant": "x", "section": "00"} for row in rows(1, 2, 3, 4)]
    other = [{**row, "variant": "y", "section": "00"} for row in rows(90, 80, 20, 10)]
    assert [row["clip"] for row in foremost([*one, *other], 3)] == ["0.wav", "3.wav", "1.wav"]
    assert foremost([], 3) == []


def test_a_clip_is_ranked_among_those_of_its_section() -> None:
    sections = {"0.wav": "00", "1.wav": "00", "2.wav": "01"}
    clips = [{**row, "variant": "x", "section": sections[row["clip"]]} for row in rows(9, 8, 1)]
    assert [row["clip"] for row in foremost(clips, 2)] == ["0.wav", "2.wav"]
