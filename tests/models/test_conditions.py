"""Conditions: from attributes if there are any, else from clusters, and always inferred from sound."""

import logging

import numpy as np
import pytest
import torch
from helpers.condition_clips import BANDS, condition_clips, joined, made_from, pieces_of, to_score
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

from asdlib.errors import AsdError
from asdlib.examples.clip_statistics import band_scaling, clip_statistics, training_statistics
from asdlib.examples.clips import Clips, origins
from asdlib.models.condition_rules import ConditionInference, survey_rules
from asdlib.models.conditions import Clustering, name_conditions

CLUSTERING = Clustering(clusters=4, components=16)
KNOWN = {("fan", "1", "source"): 12, ("fan", "2", "source"): 12, ("fan", "3", "target"): 2}
UNKNOWN = {("slider", None, "source"): 10, ("slider", None, "target"): 3}
STATES = {("slider", None, f"state {state}"): 6 for state in range(4)}  # in the sound only


def surveyed(clips: Clips) -> tuple[dict, torch.Tensor]:
    """Return the facts that a network grows from, and the conditions of the training clips."""
    statistics = training_statistics(clips)
    named = name_conditions(clips, statistics, CLUSTERING)
    return {"names": named.names, "rules": survey_rules(named, statistics, CLUSTERING)}, named.labels


def inferred(facts: dict, clips: Clips) -> list[int]:
    """Return the conditions of clips that are scored."""
    return references(facts, to_score(clips))


def references(facts: dict, clips: Clips) -> list[int]:
    """Return the conditions of clips as they are: training clips are references."""
    return ConditionInference(facts["rules"])(clips.features, clips.frames, origins(clips.table)).tolist()


def test_statistics_are_of_real_frames() -> None:
    clip = torch.randn(1, 9, 3, generator=torch.Generator().manual_seed(0))
    padded = torch.cat([clip, torch.full((1, 5, 3), torch.nan)], dim=1)
    expected = torch.cat([clip.mean(1), clip.std(1, unbiased=False)], dim=1)
    torch.testing.assert_close(clip_statistics(padded, torch.tensor([9])), expected)


def test_bands_are_scaled_by_all_real_frames_of_all_clips() -> None:
    features = torch.randn(3, 20, 4, generator=torch.Generator().manual_seed(0)) * 7 - 30
    frames = torch.tensor([20, 5, 11])
    real = torch.cat([clip[:count] for clip, count in zip(features, frames, strict=True)])
    scaling = band_scaling(clip_statistics(features, frames), frames)
    np.testing.assert_allclose(scaling["mean"], real.mean(0), rtol=1e-5)
    np.testing.assert_allclose(scaling["std"], real.std(0, unbiased=False), rtol=1e-5)


def test_a_silent_band_is_not_divided_by_zero() -> None:
    features, frames = torch.full((2, 5, 3), -156.5), torch.tensor([5, 5])
    assert min(band_scaling(clip_statistics(features, frames), frames)["std"]) > 0


def test_a_condition_is_machine_section_attributes_and_domain() -> None:
    facts, labels = surveyed(condition_clips(KNOWN))
    assert facts["names"] == ["fan | 00 | spd=1 | source", "fan | 00 | spd=2 | source", "fan | 00 | spd=3 | target"]
    assert labels.tolist() == [0] * 12 + [1] * 12 + [2] * 2


def test_the_condition_of_new_clips_is_heard() -> None:
    facts, labels = surveyed(condition_clips(KNOWN))
    assert inferred(facts, condition_clips(KNOWN, seed=1)) == labels.tolist()


def test_a_rare_condition_weighs_as_much_as_a_frequent_one() -> None:
    """Two of sixty clips are target: an unweighted regression would ignore them."""
    many = {("fan", "1", "source"): 60, ("fan", "1", "target"): 2}
    facts, _ = surveyed(condition_clips(many, spread=0.02))
    found = inferred(facts, condition_clips(dict.fromkeys(many, 40), seed=3, spread=0.02))
    assert sum(found[40:]) > 20


def test_clips_without_attributes_are_clustered_by_sound() -> None:
    facts, labels = surveyed(condition_clips(STATES))
    assert len(facts["names"]) == 4
    groups = labels.reshape(4, 6)
    assert (groups == groups[:, :1]).all()
    assert len(set(groups[:, 0].tolist())) == 4


def test_a_section_in_which_some_clips_have_attributes_is_not_clustered() -> None:
    mixed = condition_clips({("fan", "1", "source"): 6, ("fan", None, "target"): 2})
    named = name_conditions(mixed, training_statistics(mixed), CLUSTERING)
    assert named.names == ["fan | 00 |  | target", "fan | 00 | spd=1 | source"]
    assert named.clustered == set()


def test_the_rule_of_clusters_is_the_nearest_mean_on_principal_components() -> None:
    """Whichever recordings k-means has put together: a regression would divide the space in another way."""
    clips = condition_clips({("slider", None, "source"): 40}, spread=0.0)
    clips.features.mul_(torch.linspace(1, 9, 40)[:, None, None])  # statistics that are spread unevenly
    facts, labels = surveyed(clips)
    new = Clips(clips.table, clips.features * torch.linspace(1.1, 0.8, 40)[:, None, None])
    scaled = StandardScaler().fit(training_statistics(clips))
    reduced = PCA(CLUSTERING.components).fit(scaled.transform(training_statistics(clips)))
    known, heard = (reduced.transform(scaled.transform(training_statistics(given))) for given in (clips, new))
    nearest = NearestCentroid().fit(known, labels).predict(heard).tolist()
    assert inferred(facts, new) == nearest
    assert nearest != labels.tolist()


def test_the_nearest_centre_is_inferred() -> None:
    clips = condition_clips(UNKNOWN)  # two states, four clusters: some states are divided
    facts, labels = surveyed(clips)
    assert inferred(facts, clips) == labels.tolist()


def test_the_nearest_centre_is_not_the_most_distant_one_in_the_same_direction() -> None:
    """A clip is inferred to be of the cluster that k-means found, also if clusters lie at 0, 1, 2 and 6 dB."""
    clips = condition_clips(STATES, spread=0.0)
    clips.features.add_(torch.tensor([0.0, 1.0, 2.0, 6.0]).repeat_interleave(6)[:, None, None])
    facts, labels = surveyed(clips)
    assert inferred(facts, clips) == labels.tolist()


def test_machines_are_told_apart_in_a_joint_model() -> None:
    clips = condition_clips({**KNOWN, **STATES})
    facts, labels = surveyed(clips)
    assert [name.split(" | ")[0] for name in facts["names"]] == ["fan"] * 3 + ["slider"] * 4
    assert inferred(facts, condition_clips({**KNOWN, **STATES}, seed=1)) == labels.tolist()


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        ({("fan", "1", "source"): 5}, ["fan | 00 | spd=1 | source"]),
        ({("fan", "1", "source"): 1}, ["fan | 00 | spd=1 | source"]),
        ({("slider", None, "source"): 1}, ["slider | 00 | cluster 00"]),
        ({("fan", "1", None): 5}, ["fan | 00 | spd=1 | no domain"]),
        ({("slider", None, "source"): 2}, ["slider | 00 | cluster 00", "slider | 00 | cluster 01"]),
        (
            {("fan", "1", "source"): 5, ("fan", "1", "target"): 1},
            ["fan | 00 | spd=1 | source", "fan | 00 | spd=1 | target"],
        ),
    ],
)
def test_few_conditions_and_few_clips_will_do(conditions: dict, names: list[str]) -> None:
    clips = condition_clips(conditions)
    facts, labels = surveyed(clips)
    assert facts["names"] == names
    assert inferred(facts, clips) == labels.tolist()


def test_padding_does_not_change_what_is_inferred() -> None:
    clips = condition_clips(KNOWN)
    facts, labels = surveyed(clips)
    padding = torch.full((len(labels), 9, BANDS), -156.5)
    assert inferred(facts, Clips(clips.table, torch.cat([clips.features, padding], dim=1))) == labels.tolist()


# --- sections and views ---------------------------------------------------------------------------------------------


def test_sections_are_different_machines() -> None:
    """From 2020 to 2022, sections are individual machines: equal attributes do not mean equal sounds."""
    parts = [condition_clips({**KNOWN, **STATES}, seed=number, section=f"0{number}") for number in range(2)]
    facts, labels = surveyed(joined(*parts))
    assert [name.split(" | ")[1] for name in facts["names"]] == (["00"] * 3 + ["01"] * 3) + (["00"] * 4 + ["01"] * 4)
    assert not set(labels[: len(labels) // 2].tolist()) & set(labels[len(labels) // 2 :].tolist())
    assert inferred(facts, joined(*parts)) == labels.tolist()


def test_a_separated_copy_is_in_the_cluster_of_its_recording() -> None:
    """The change of the view is larger than the states: all clips together would be clustered by view."""
    recordings = condition_clips(STATES)
    copies = made_from(recordings, torch.linspace(-30, 30, BANDS))
    facts, labels = surveyed(joined(recordings, copies))
    alone, labels_alone = surveyed(recordings)
    assert labels.tolist() == labels_alone.tolist() * 2
    assert facts["names"] == alone["names"]


def test_the_clusters_are_of_recordings_also_where_copies_come_first() -> None:
    """These copies sound like the recordings of other states."""
    recordings = condition_clips(STATES)
    copies = made_from(Clips(recordings.table, recordings.features.roll(3, 0)), torch.zeros(BANDS))
    _, labels = surveyed(joined(copies, recordings))
    assert labels.tolist() == surveyed(recordings)[1].tolist() * 2


def test_clips_of_unknown_origin_are_recordings_of_the_only_section() -> None:
    """Such are those of a network that was exported; its training may have had separated clips too."""
    recordings = condition_clips(KNOWN)
    facts, labels = surveyed(joined(recordings, made_from(recordings, torch.linspace(-30, 30, BANDS))))
    found = ConditionInference(facts["rules"])(recordings.features, recordings.frames, None)
    assert found.tolist() == labels[: len(found)].tolist()


@pytest.mark.parametrize("conditions", [KNOWN, STATES], ids=["attributes", "clusters"])
def test_each_view_has_a_rule_of_its_own(conditions: dict) -> None:
    change = torch.linspace(-30, 30, BANDS)
    recordings = condition_clips(conditions)
    facts, labels = surveyed(joined(recordings, made_from(recordings, change)))
    new = condition_clips(conditions, seed=1)
    assert inferred(facts, joined(new, made_from(new, change))) == labels.tolist()


def test_without_separated_clips_in_training_a_view_is_treated_as_recordings_are() -> None:
    """Such is a machine without a separator, whose separated clips are its recordings."""
    clips = condition_clips(KNOWN)
    facts, labels = surveyed(clips)
    assert inferred(facts, made_from(clips, torch.zeros(BANDS))) == labels.tolist()


def test_a_section_that_was_not_in_training_is_named() -> None:
    facts, _ = surveyed(condition_clips(KNOWN))
    with pytest.raises(AsdError, match="no condition of fan, section 07: add training clips"):
        inferred(facts, condition_clips(KNOWN, section="07"))


# --- references -----------------------------------------------------------------------------------------------------

NOISE = {("fan", str(speed), "source"): 20 for speed in range(4)}  # with spread=0, the sound says nothing of the speed


def accuracy(found: list[int], labels: torch.Tensor) -> float:
    return float((torch.tensor(found) == labels).float().mean())


def test_references_are_treated_like_new_clips(caplog) -> None:
    """A rule that was fitted to a clip finds its condition even where the sound does not tell it."""
    clips = condition_clips(NOISE, spread=0.0)
    with caplog.at_level(logging.INFO):
        facts, labels = surveyed(clips)
    assert accuracy(inferred(facts, clips), labels) > 0.7  # the rule knows these clips
    new = condition_clips(NOISE, seed=1, spread=0.0)
    assert accuracy(inferred(facts, new), labels) < 0.45
    assert accuracy(references(facts, clips), labels) < 0.45
    share = 100 * accuracy(references(facts, clips), labels)
    assert f"fan, section 00, recordings: a rule finds the condition of {share:.1f} % of clips" in caplog.text


def test_a_recording_and_its_copies_are_left_out_together() -> None:
    """Copies that are the recording itself would otherwise show the rule what it must not know."""
    recordings = condition_clips(NOISE, spread=0.0)
    copies = made_from(recordings, torch.zeros(BANDS))
    facts, labels = surveyed(joined(copies, copies))  # two copies of each in one view
    assert accuracy(references(facts, copies), labels[: len(copies.table)]) < 0.45


def test_the_pieces_of_a_recording_are_left_out_together(caplog) -> None:
    """They sound nearly the same: a rule that knows one of them finds the condition of all."""
    pieces = pieces_of(condition_clips(NOISE, spread=0.0), 0, 10)
    with caplog.at_level(logging.INFO):
        facts, labels = surveyed(pieces)
    assert accuracy(inferred(facts, pieces), labels) > 0.7
    assert accuracy(references(facts, pieces), labels) < 0.45
    assert float(caplog.text.partition("finds the condition of ")[2].partition(" %")[0]) < 45


def test_where_the_sound_tells_the_condition_references_have_it() -> None:
    clips = condition_clips(KNOWN)
    facts, labels = surveyed(clips)
    assert references(facts, clips) == labels.tolist()


def test_regressions_are_computed_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two would wait for each other in each of their thousands of small steps."""
    seen = []
    fit = LogisticRegression.fit
    monkeypatch.setattr(LogisticRegression, "fit", lambda *given: seen.append(blas_threads()) or fit(*given))
    with threadpool_limits(2, user_api="blas"):
        surveyed(condition_clips(KNOWN))
        assert blas_threads() == {2}
    assert seen
    assert set().union(*seen) == {1}


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}
