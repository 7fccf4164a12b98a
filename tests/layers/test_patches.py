"""Tests of patches and their positions: each value is in one patch, and tokens are at their indices."""

import torch

from asdlib.layers.patches import (
    PatchEmbedding,
    patchify,
    place_tokens,
    sine_cosine_positions,
    take_tokens,
)


def test_patches_hold_every_value_once() -> None:
    spectrograms = torch.arange(2 * 48 * 32).view(2, 48, 32)
    patches = patchify(spectrograms)
    assert patches.shape == (2, 6, 256)
    assert torch.equal(patches[1, 3], spectrograms[1, 16:32, 16:32].flatten())  # row 1, column 1 of a 3 × 2 grid
    assert torch.equal(patches.flatten().sort().values, spectrograms.flatten())  # every value once


def test_an_embedding_is_a_linear_map_of_each_patch() -> None:
    embedding = PatchEmbedding(8)
    spectrograms = torch.randn(2, 40, 32)  # the last 8 frames fill no patch
    weight = embedding.proj.weight.flatten(1)
    expected = patchify(spectrograms[:, :32]) @ weight.T + embedding.proj.bias
    torch.testing.assert_close(embedding(spectrograms), expected)


def test_half_of_a_position_is_the_column_and_half_the_row() -> None:
    table = sine_cosine_positions(rows=3, columns=4, width=16).view(3, 4, 16)
    assert (table[:, :, :8] == table[:1, :, :8]).all()
    assert (table[:, :, 8:] == table[:, :1, 8:]).all()
    torch.testing.assert_close(table[2, 1, 8:12], torch.sin(2 * 10000.0 ** (-torch.arange(4) / 4)))
    torch.testing.assert_close(table[2, 1, 4:8], torch.cos(1 * 10000.0 ** (-torch.arange(4) / 4)))
    assert len(table.flatten(0, 1).unique(dim=0)) == 12


def test_tokens_taken_and_put_back() -> None:
    tokens = torch.randn(2, 5, 3)
    indices = torch.tensor([[4, 0], [1, 2]])
    taken = take_tokens(tokens, indices)
    assert torch.equal(taken[0, 0], tokens[0, 4])
    placed = place_tokens(torch.zeros(2, 5, 3), indices, taken)
    assert torch.equal(placed[1, 1:3], tokens[1, 1:3])
    assert not placed[1, 3:].any()
