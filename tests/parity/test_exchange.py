"""Parity with the published mixup, statistics exchange and feature exchange; the draws are the golden's own."""

import json

import pytest
import torch
from helpers.golden import golden
from safetensors.torch import load_file

from asdlib.models.dual_branch_exchange import exchange_labels, exchange_rows, exchange_statistics, mixed

FOLDER = golden("mixup_statex_featex")
CONFIG = json.loads((FOLDER / "config.json").read_text())
EXPECTED = load_file(FOLDER / "io.safetensors")


def same(name: str, ours: torch.Tensor) -> None:
    torch.testing.assert_close(ours, EXPECTED[name], **CONFIG["tolerance"])


@pytest.fixture(scope="module")
def exchanged() -> dict[str, torch.Tensor]:
    """Who is mixed or exchanged: there, a draw below the chance mixes, but leaves statistics and embeddings alone."""
    chance = {name: CONFIG["hyperparameters"][f"{name}_prob"] for name in ("mixup", "statex", "featex")}
    below = {name: EXPECTED[f"u_{name}_decision"] < chance[name] for name in chance}
    return {"mixup": below["mixup"], "statex": ~below["statex"], "featex": ~below["featex"]}


def test_some_of_each_are_exchanged_and_some_are_not(exchanged) -> None:
    assert all(0 < chosen.sum() < len(chosen) for chosen in exchanged.values())


def test_mixup(exchanged) -> None:
    share = torch.where(exchanged["mixup"], EXPECTED["u_mixup_lambda"], 1.0)
    same("mixup_waveform", mixed(EXPECTED["waveform"], share))
    same("mixup_labels", mixed(EXPECTED["labels"], share))


def test_statistics_exchange(exchanged) -> None:
    spectrogram = exchange_statistics(EXPECTED["spectrogram"][..., 0], exchanged["statex"])
    same("statex_spectrogram", spectrogram[..., None])
    same("statex_labels", exchange_labels(EXPECTED["mixup_labels"], exchanged["statex"]))


def test_feature_exchange(exchanged) -> None:
    same("featex_embedding_spectrogram", exchange_rows(EXPECTED["embedding_spectrogram"], exchanged["featex"]))
    same("featex_embedding_spectrum", EXPECTED["embedding_spectrum"])
    same("featex_labels", exchange_labels(EXPECTED["statex_labels"], exchanged["featex"]))
