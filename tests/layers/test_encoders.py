"""Initial weights of the encoders, from which a training without published weights starts."""

import pytest
import torch
from torch import nn

from asdlib.layers.encoders.audiomae import AudioMae
from asdlib.layers.encoders.beats import Beats
from asdlib.layers.encoders.eat import EatEncoder
from asdlib.models.audiomae_decoder import MaskedAutoencoder

DEPTH = 3
DAMPED = ("v_proj", "out_proj", "fc1", "fc2")  # in BEATs


@pytest.fixture(params=["audiomae", "audiomae_with_decoder", "beats", "eat"])
def encoder(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    made = {
        "audiomae": lambda: AudioMae(32, DEPTH, 2),
        "audiomae_with_decoder": lambda: MaskedAutoencoder(32, DEPTH, 2, 32, 2),
        "beats": lambda: Beats(32, DEPTH, 2, patch_width=16),
        "eat": lambda: EatEncoder(4, 8, 32, DEPTH, 2),
    }
    return made[request.param]()


def test_linear_layers_are_xavier_s_without_biases(encoder: nn.Module) -> None:
    """Uniform up to √(6 / (inputs + outputs)); DeepNorm damps some layers by (8 · layers)^-¼."""
    for name, layer in encoder.named_modules():
        if isinstance(layer, nn.Linear) and "grep" not in name:
            damping = (8 * DEPTH) ** -0.25 if isinstance(encoder, Beats) and name.endswith(DAMPED) else 1.0
            expected = damping * (6 / (layer.in_features + layer.out_features)) ** 0.5
            assert float(layer.weight.detach().abs().max()) == pytest.approx(expected, rel=0.1), name
            assert not layer.bias.any(), name


def test_learned_tokens_and_positions_start_small(encoder: nn.Module) -> None:
    if isinstance(encoder, Beats):
        position = encoder.encoder.pos_conv[0]
        kernel = position.weight_v * position.weight_g / position.weight_v.norm(dim=(0, 1), keepdim=True)
        assert float(kernel.detach().std()) == pytest.approx((4 / (128 * 32)) ** 0.5, rel=0.1)  # 128 taps
        assert not position.bias.any()
        return
    tokens = [encoder.cls_token if isinstance(encoder, AudioMae) else encoder.extra_tokens]
    tokens += [encoder.mask_token] if isinstance(encoder, MaskedAutoencoder) else []
    for token in tokens:
        assert float(token.detach().std()) == pytest.approx(0.02, rel=0.35)
