"""Conditions: from attributes if there are any, else from clusters, and always inferred from sound."""

import numpy as np
import pytest
import torch
from helpers.condition_clips import BANDS, condition_clips

from asdlib.examples.clip_statistics import band_scaling, clip_statistics, training_statistics
from asdlib.examples.clips import Clips
from asdlib.models.conditions import Clustering, ConditionInference, survey_conditions, training_conditions

CLUSTERING = Clustering(clusters=4, components=16)
KNOWN = {("fan", "1", "source"): 12, ("fan", "2", "source"): 12, ("fan", "3", "target"): 2}
UNKNOWN = {("slider", None, "source"): 10, ("slider", None, "target"): 3}
STATES = {("slider", None, f"state {state}"): 6 for state in range(4)}  # in the sound only


def surveyed(clips: Clips) -> tuple[dict, torch.Tensor]:
    statistics = training_statistics(clips)
    facts = survey_conditions(clips, statistics, CLUSTERING)
    return facts, training_conditions(clips, statistics, facts["names"], CLUSTERING)


def inferred(facts: dict, clips: Clips) -> list[int]:
    return ConditionInference(facts)(clips.features, clips.frames).tolist()


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


def test_a_condition_is_machine_attributes_and_domain() -> None:
    facts, labels = surveyed(condition_clips(KNOWN))
    assert facts["names"] == ["fan | spd=1 | source", "fan | spd=2 | source", "fan | spd=3 | target"]
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


def test_the_nearest_centre_is_inferred() -> None:
    clips = condition_clips(UNKNOWN)  # two states, four clusters: some states are divided
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
        ({("fan", "1", "source"): 5}, ["fan | spd=1 | source"]),
        ({("fan", "1", None): 5}, ["fan | spd=1 | no domain"]),
        ({("slider", None, "source"): 2}, ["slider | cluster 00", "slider | cluster 01"]),
        ({("fan", "1", "source"): 5, ("fan", "1", "target"): 1}, ["fan | spd=1 | source", "fan | spd=1 | target"]),
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
