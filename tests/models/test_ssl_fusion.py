"""Feature-level fusion: both encoders come from phase I and are frozen; the pooling is the report's."""

import pytest
import torch
from helpers.refusals import refused
from helpers.system4_models import AUDIOMAE, BEATS, FUSION, SMALL, begun, changed, clips, stored, trained

from asdlib.examples.clips import Batch
from asdlib.layers.encoders.audiomae import normalised
from asdlib.models.ssl_fusion import SslFusion

SINGLE = clips()
PAIRS = clips(shape=(48, 2, 128))
POOLINGS = pytest.mark.parametrize("pooling", ["attention", "mean"])


def branches() -> tuple:
    torch.manual_seed(0)
    networks = begun(BEATS, SINGLE), begun(AUDIOMAE, SINGLE)
    for network in networks:
        trained(network, SINGLE)
    return networks


def batch_of(features: torch.Tensor) -> Batch:
    return Batch(features, torch.full((len(features),), 48), torch.zeros(len(features), dtype=torch.bool))


@POOLINGS
def test_only_adapters_and_what_stands_behind_the_encoders_learn(pooling: str) -> None:
    beats, audiomae = branches()
    network = begun({**FUSION, "pooling": pooling}, PAIRS, stored(beats, BEATS), stored(audiomae, AUDIOMAE))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    trained(network, PAIRS)
    found = changed(network, before)
    adapters = {name for name in before if "lora_" in name}
    assert len(adapters) == 8
    assert adapters <= found
    behind = {name.partition(".")[0] for name in found - adapters}
    assert behind == {"head", "fc_norm", *(["pooling"] if pooling == "attention" else [])}


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_the_branches_are_taken_over_in_any_order(order: slice) -> None:
    beats, audiomae = branches()
    network = begun({**FUSION, "pooling": "mean"}, PAIRS, *[stored(beats, BEATS), stored(audiomae, AUDIOMAE)][order])
    ours, theirs = PAIRS.features[:, :, 0], PAIRS.features[:, :, 1]
    tokens, _ = beats.encoder(ours, torch.full((len(ours),), 48))
    embedding = network.embed(batch_of(PAIRS.features))["embedding"]
    torch.testing.assert_close(embedding[:, :16], tokens.mean(1))
    assert embedding.shape[1] == 32
    # AudioMAE's half: each token is normalised, not their mean as in its own classifier
    tokens = audiomae.encoder(normalised(theirs, torch.full((len(theirs),), 48)))[:, 1:]
    torch.testing.assert_close(embedding[:, 16:], audiomae.fc_norm(tokens).mean(1))


def test_attention_weighs_the_tokens_of_both() -> None:
    """With equal attention the embedding is the mean over 24 tokens of BEATs and 512 of AudioMAE."""
    torch.manual_seed(0)
    network = SslFusion("attention", 0, attention=4, patch_width=8, **SMALL).eval()
    means = SslFusion("mean", 0, patch_width=8, **SMALL).eval()
    means.load_state_dict({name: tensor for name, tensor in network.state_dict().items() if "pooling" not in name})
    torch.nn.init.zeros_(network.pooling.score[2].weight)
    batch = batch_of(PAIRS.features[:2])
    beats, audiomae = means.embed(batch)["embedding"].chunk(2, dim=1)
    torch.testing.assert_close(network.embed(batch)["embedding"], (24 * beats + 512 * audiomae) / 536)


@POOLINGS
def test_padding_does_not_reach_the_embedding(pooling: str) -> None:
    network = SslFusion(pooling, 0, attention=4, patch_width=8, **SMALL).eval()
    features, other = PAIRS.features[:1], PAIRS.features[:1].clone()
    other[:, 32:] = 99.0
    frames, target = torch.tensor([32]), torch.tensor([False])
    one, same = (network.embed(Batch(x, frames, target))["embedding"] for x in (features, other))
    assert torch.equal(one, same)


def test_one_branch_alone_is_refused() -> None:
    beats, _ = branches()
    network = begun({**FUSION, "pooling": "mean"}, PAIRS, stored(beats, BEATS))
    refused(lambda: network.examples(PAIRS), r"init: names only a beats_classifier: name phase I of both branches.*")


def test_another_model_is_refused() -> None:
    network = begun({**FUSION, "pooling": "mean"}, PAIRS)
    beats, _ = branches()
    other = stored(beats, {"name": "ae", "kind": "dense_autoencoder"})
    refused(lambda: network.start_from(other), r"init: ae: is not a beats_classifier or audiomae_classifier: .*")


def test_an_unknown_pooling_is_refused() -> None:
    refused(lambda: SslFusion("max", 8), r"model ssl_fusion: pooling 'max': use one of: attention, mean")
