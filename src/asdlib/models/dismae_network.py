"""The network of the disentangled masked autoencoder: patches, two encoders, a decoder and a domain head.

Zhang et al., *Disentangling Masked Autoencoders for Unsupervised Domain Generalization*, ECCV 2024. Weights have the
published names. The grid of patches need not be square.
"""

import torch
from torch import Tensor, nn

from asdlib.layers.masking import removed
from asdlib.layers.patches import PatchEmbedding, place_tokens, sine_cosine_positions, take_tokens
from asdlib.layers.transformer import Block, initialise
from asdlib.losses.dismae import adaptive_contrast, first_of_each, masked_error, swapped_errors
from asdlib.models.dismae_domain_head import DomainHead

NORM_EPS = 1e-6


class DismaeNetwork(nn.Module):
    """Encodes and decodes images (B, height, width) in [0, 1] as `rows` × `columns` patches in row-major order.

    Two unused classification heads of the published code are left out. `reweight_classifier` is the published name of
    the domain head; it is None until the number of domains is known.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        patch: int,
        width: int,
        depth: int,
        heads: int,
        variation_depth: int,
        decoder_width: int,
        decoder_depth: int,
        decoder_heads: int,
        mlp_ratio: float,
    ):
        super().__init__()
        self.rows, self.columns, self.patch = rows, columns, patch
        self.patch_embed = PatchEmbedding(width, patch)
        self.cls_token = nn.Parameter(torch.empty(1, 1, width).normal_(std=0.02))
        self.blocks = _blocks(width, heads, depth, mlp_ratio)
        self.variation_blocks = _blocks(width, heads, variation_depth, mlp_ratio)
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)  # of both encoders
        self.decoder_embed = nn.Linear(width, decoder_width)
        self.mask_token = nn.Parameter(torch.empty(1, 1, decoder_width).normal_(std=0.02))
        self.decoder_blocks = _blocks(decoder_width, decoder_heads, decoder_depth, mlp_ratio)
        self.decoder_norm = nn.LayerNorm(decoder_width, eps=NORM_EPS)
        self.decoder_pred = nn.Linear(decoder_width, patch * patch)
        for name, size in (("positions", width), ("decoder_positions", decoder_width)):  # the CLS tokens have none
            self.register_buffer(name, sine_cosine_positions(rows, columns, size), persistent=False)
        self.reweight_classifier: DomainHead | None = None
        initialise(self)
        nn.init.xavier_uniform_(self.patch_embed.proj.weight.flatten(1))

    @property
    def transformer_blocks(self) -> list[Block]:
        """All blocks of the encoders and the decoder."""
        return [*self.blocks, *self.variation_blocks, *self.decoder_blocks]

    def tokens(self, images: Tensor) -> Tensor:
        """Return the embedding of every patch, (B, patches, width)."""
        return self.patch_embed(images) + self.positions

    def encode(self, tokens: Tensor, keep: Tensor, blocks: nn.ModuleList) -> Tensor:
        """Return the CLS token and the tokens at `keep` (B, kept) after an encoder, (B, 1 + kept, width)."""
        seen = take_tokens(tokens, keep)
        seen = torch.cat([self.cls_token.expand(len(seen), -1, -1), seen], dim=1)
        for block in blocks:
            seen = block(seen)
        return self.norm(seen)

    def decoder_input(self, semantic: Tensor, keep: Tensor, variation: Tensor) -> Tensor:
        """Return the decoder's input, from semantic tokens (B, 1 + kept, width) and variation tokens (B, width).

        The result, (B, 1 + patches + 1, decoder width), consists of the semantic CLS token, the patches (mask tokens
        for removed ones) and the variation CLS token, which is all that the decoder gets from the variation encoder.
        """
        known, variation = self.decoder_embed(semantic), self.decoder_embed(variation)[:, None]
        blank = self.mask_token.to(known.dtype).expand(len(known), self.rows * self.columns, -1)
        patches = place_tokens(blank, keep, known[:, 1:]) + self.decoder_positions
        return torch.cat([known[:, :1], patches, variation], dim=1)

    def decode(self, semantic: Tensor, keep: Tensor, variation: Tensor) -> Tensor:
        """Return all patches, (B, patches, patch²) in [0, 1], reconstructed from semantic and variation tokens."""
        tokens = self.decoder_input(semantic, keep, variation)
        for block in self.decoder_blocks:
            tokens = block(tokens)
        guess = self.decoder_pred(self.decoder_norm(tokens)[:, 1:-1])
        return guess.float().sigmoid()  # float32, because the errors are small compared to the resolution of bf16

    def errors(
        self, tokens: Tensor, patches: Tensor, real: Tensor, domain: Tensor, keep: tuple[Tensor, Tensor],
        units: Tensor, margin: float, temperature: float,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Return the reconstruction error and the adaptive contrastive loss, both unweighted.

        `patches` (B, patches, patch²) are the targets. The reconstruction error ignores those that are not `real`
        (B, patches); the contrast sums over all, as published. `keep` holds the patches that the semantic and the
        variation encoder see. `margin` and `temperature` are in units of `units` (B,), the size of a squared error. The
        anchor of a domain is its first clip, since the order of the batch is random.
        """
        semantic = self.encode(tokens, keep[0], self.blocks)
        variation = self.encode(tokens, keep[1], self.variation_blocks)[:, 0]
        gone = removed(keep[0], patches.shape[1])
        reconstruction = masked_error(self.decode(semantic, keep[0], variation), patches, gone & real)
        anchor = first_of_each(domain)  # (B,)
        swapped = self.decode(semantic[anchor], keep[0][anchor], variation)
        errors = swapped_errors(swapped, patches[anchor], gone[anchor], margin, units[anchor])
        probability = self.reweight_classifier.probability(semantic[:, 0], domain)
        return reconstruction, adaptive_contrast(errors, domain, probability, temperature)


def _blocks(width: int, heads: int, depth: int, mlp_ratio: float) -> nn.ModuleList:
    return nn.ModuleList(Block(width, heads, mlp_ratio, NORM_EPS) for _ in range(depth))
