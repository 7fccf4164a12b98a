"""Words that --config has taken: what is advised in place of a dotted key."""

import pytest
from helpers.checkout import ROOT

from asdlib.workflow.option_words import advice


@pytest.mark.parametrize(
    ("entry", "advised"),
    [
        ("prepare.downmix=true", "write 'prepare={downmix: true}'"),
        ("override.models.dense_ae.epochs=3", "write 'override={models: {dense_ae: {training: {epochs: 3}}}}'"),
        ("override.models.dense_ae.training.epochs=3",
         "write 'override={models: {dense_ae: {training: {epochs: 3}}}}'"),
        ("override.models.dense_ae.training.hidden=8", "write 'override={models: {dense_ae: {hidden: 8}}}'"),
        ("override.models.dense_ae.hidden=8", "write 'override={models: {dense_ae: {hidden: 8}}}'"),
        ("override.models.dense_ae.views=raw", "write 'override={models: {dense_ae: {views: raw}}}'"),
        ("override.separators.conv_tasnet.segment=2",
         "write 'override={separators: {conv_tasnet: {pairs: {segment: 2}}}}'"),
        ("override.models.unknown.epochs=3", "write 'override={models: {unknown: {epochs: 3}}}'"),
        ("1.epochs=3", "correct it"),
    ],
)  # fmt: skip
def test_a_dotted_key_is_written_with_the_block_to_which_it_belongs(monkeypatch, entry: str, advised: str) -> None:
    monkeypatch.chdir(ROOT)
    assert advice(entry) == advised


def test_a_checkout_without_systems_still_has_an_advice(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    assert advice("override.models.a.epochs=3") == "write 'override={models: {a: {epochs: 3}}}'"
