"""The encoder of BEATs (Chen et al., ICML 2023), with the parameter names of its public checkpoints.

It is a post-norm transformer over 16 × 16 patches of a log-mel spectrogram, with a convolutional position embedding and
a relative position bias gated by the query. All layers share one table of this bias, which is stored in the first.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.layers.transformer import initialise

PATCH = 16
MEAN, STD = 15.41663, 6.55582  # of the log-mel of 16-bit samples in BEATs' training data


class Beats(nn.Module):
    """Log-mel (B, frames, 128) → tokens (B, frames // 16 · 8, width), the eight frequencies of each time step together.

    The defaults are those of the public models. The convolutional position embedding has `position_kernel` taps and
    `position_groups` groups; `patch_bias` gives the patch embedding a bias. Only the reference outputs set these three.
    There is no projection if `patch_width` equals `width`. `gradient_decay` multiplies the gradient at every layer in
    the backward pass; the output does not depend on it. In training mode, `dropout` is the share of values set to 0
    before the first layer, after attention and MLP, and among the weights of attention, and `layer_drop` the chance of
    each layer to be left out.
    """

    def __init__(
        self,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        hidden: int | None = None,
        patch_width: int = 512,
        buckets: int = 320,
        max_distance: int = 800,
        gradient_decay: float = 1.0,
        position_kernel: int = 128,
        position_groups: int = 16,
        patch_bias: bool = False,
        dropout: float = 0.0,
        layer_drop: float = 0.0,
    ):
        super().__init__()
        self.dropout = dropout
        self.patch_embedding = nn.Conv2d(1, patch_width, PATCH, stride=PATCH, bias=patch_bias)
        self.layer_norm = nn.LayerNorm(patch_width)
        self.post_extract_proj = nn.Linear(patch_width, width) if patch_width != width else nn.Identity()
        position = PositionalConvolution(width, position_kernel, position_groups)
        self.encoder = Encoder(
            width, depth, heads, hidden or 4 * width, position, buckets, max_distance, gradient_decay, dropout,
            layer_drop,
        )  # fmt: skip
        initialise(self.post_extract_proj)

    def forward(self, log_mel: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens (B, tokens, width) and a mask (B, tokens) that is True for padding.

        `log_mel` is computed from samples in units of 16-bit steps and not normalised. `frames` (B,) are the numbers of
        real frames. Frames at the end that do not fill a patch are left out.
        """
        patches = self.patch_embedding(((log_mel - MEAN) / (2 * STD))[:, None])  # (B, patch width, times, 8)
        tokens = patches.flatten(2).transpose(1, 2)
        tokens = functional.dropout(self.post_extract_proj(self.layer_norm(tokens)), self.dropout, self.training)
        padding = all_padding(torch.arange(log_mel.shape[1], device=frames.device) >= frames[:, None], tokens.shape[1])
        return self.encoder(tokens, padding), padding


class Encoder(nn.Module):
    """The position embedding and all layers, for tokens (B, tokens, width)."""

    def __init__(
        self,
        width: int,
        layers: int,
        heads: int,
        hidden: int,
        position: "PositionalConvolution",
        buckets: int,
        max_distance: int,
        gradient_decay: float,
        dropout: float,
        layer_drop: float,
    ):
        super().__init__()
        self.buckets = buckets
        self.max_distance = max_distance
        self.gradient_decay = gradient_decay
        self.dropout = dropout
        self.layer_drop = layer_drop
        self.pos_conv = nn.Sequential(position, nn.GELU())
        self.layer_norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(Layer(width, heads, hidden, layers, dropout) for _ in range(layers))
        self.layers[0].self_attn.relative_attention_bias = nn.Embedding(buckets, heads)

    def forward(self, tokens: Tensor, padding: Tensor) -> Tensor:
        """Return (B, tokens, width); no token attends to those of `padding` (B, tokens)."""
        tokens = tokens.masked_fill(padding[:, :, None], 0.0)
        tokens = self.layer_norm(tokens + self.pos_conv(tokens.transpose(1, 2)).transpose(1, 2))
        tokens = functional.dropout(tokens, self.dropout, self.training)
        bias = self.position_bias(tokens.shape[1])
        for layer in self.layers:
            if self.training and self.layer_drop and torch.rand(()) < self.layer_drop:
                continue
            if self.gradient_decay != 1.0 and tokens.requires_grad:
                tokens.register_hook(lambda gradient: gradient * self.gradient_decay)
            tokens = layer(tokens, bias, padding)
        return tokens

    def position_bias(self, count: int) -> Tensor:
        """Return the bias of all queries and keys before gating, (heads, tokens, tokens)."""
        table = self.layers[0].self_attn.relative_attention_bias
        position = torch.arange(count, device=table.weight.device)
        buckets = distance_buckets(position[None, :] - position[:, None], self.buckets, self.max_distance)
        return table(buckets).permute(2, 0, 1)


class PositionalConvolution(nn.Module):
    """Grouped convolution over the sequence (B, width, tokens), with weights normalised per tap."""

    def __init__(self, width: int, kernel: int, groups: int):
        super().__init__()
        self.kernel = kernel
        self.groups = groups
        weight = torch.empty(width, width // groups, kernel).normal_(std=math.sqrt(4 / (kernel * width)))
        self.weight_v = nn.Parameter(weight)
        self.weight_g = nn.Parameter(weight.norm(dim=(0, 1), keepdim=True))  # (1, 1, taps)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, sequence: Tensor) -> Tensor:
        """Return (B, width, tokens); the even kernel gives one output too many, which is dropped."""
        weight = self.weight_v * (self.weight_g / self.weight_v.norm(dim=(0, 1), keepdim=True))
        found = functional.conv1d(sequence, weight, self.bias, padding=self.kernel // 2, groups=self.groups)
        return found[..., : sequence.shape[2]]


class Layer(nn.Module):
    """Attention and MLP, each normalised after its residual, which has the weight (2 · layers)^¼ (DeepNorm)."""

    def __init__(self, width: int, heads: int, hidden: int, layers: int, dropout: float):
        super().__init__()
        self.dropout = dropout
        self.alpha = (2 * layers) ** 0.25
        self.self_attn = GatedAttention(width, heads, dropout)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.final_layer_norm = nn.LayerNorm(width)
        initialise(self)
        attention = self.self_attn
        for damped in (attention.v_proj, attention.out_proj, self.fc1, self.fc2):
            damped.weight.data *= (8 * layers) ** -0.25  # DeepNorm's initialisation of encoders (Wang et al., 2022)

    def forward(self, tokens: Tensor, bias: Tensor, padding: Tensor) -> Tensor:
        """Return (B, tokens, width)."""
        attended = functional.dropout(self.self_attn(tokens, bias, padding), self.dropout, self.training)
        tokens = self.self_attn_layer_norm(self.alpha * tokens + attended)
        found = functional.dropout(self.fc2(functional.gelu(self.fc1(tokens))), self.dropout, self.training)
        return self.final_layer_norm(self.alpha * tokens + found)


class GatedAttention(nn.Module):
    """Multi-head self-attention whose relative position bias is gated by the projected query."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)
        self.grep_linear = nn.Linear(width // heads, 8)
        self.grep_a = nn.Parameter(torch.ones(1, heads, 1, 1))

    def forward(self, tokens: Tensor, bias: Tensor, padding: Tensor) -> Tensor:
        """Attend to all tokens except padding; `bias` (heads, tokens, tokens) is gated here."""
        query, key, value = (self._heads(project(tokens)) for project in (self.q_proj, self.k_proj, self.v_proj))
        biased = (self.gate(query) * bias).masked_fill(padding[:, None, None], -math.inf)  # (B, heads, tokens, tokens)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=biased.to(query.dtype), dropout_p=self.dropout if self.training else 0.0
        )
        return self.out_proj(mixed.transpose(1, 2).flatten(2))

    def gate(self, query: Tensor) -> Tensor:
        """Return the gate of each query's bias, (B, heads, tokens, 1), from queries (B, heads, tokens, head width)."""
        a, b = self.grep_linear(query).unflatten(-1, (2, 4)).sum(-1, keepdim=True).sigmoid().unbind(-2)
        return a * (b * self.grep_a - 1) + 2

    def _heads(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(2, (self.heads, -1)).transpose(1, 2)


def distance_buckets(relative: Tensor, buckets: int, max_distance: int) -> Tensor:
    """Return the bucket of every relative position, key minus query: one per near position, logarithmic for far ones.

    Computed in float32 like the official code, because values at the boundaries depend on the rounding.
    """
    half = buckets // 2
    single = half // 2
    distance = relative.abs()
    share = torch.log(distance.float() / single) / math.log(max_distance / single)
    far = (single + (share * (half - single)).long()).clamp_max(half - 1)
    return (relative > 0).long() * half + torch.where(distance < single, distance, far)


def all_padding(mask: Tensor, chunks: int) -> Tensor:
    """Return a mask (B, items; True = padding), reduced to `chunks` equal chunks: True if all items are padding.

    This is the official reduction, both from samples to frames and from frames to tokens. Items at the end that do not
    fill a chunk are left out. The frames of a time step are distributed over its eight tokens in order, so that a
    partly padded time step has both real and padding tokens.
    """
    whole = mask.shape[1] - mask.shape[1] % chunks
    return mask[:, :whole].unflatten(1, (chunks, -1)).all(-1)
