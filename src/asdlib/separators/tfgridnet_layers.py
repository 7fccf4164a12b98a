"""The layers of TF-GridNet: recurrent layers along frequency and time, and attention between frames.

Wang et al., "TF-GridNet: Integrating Full- and Sub-Band Modeling for Speech Separation", TASLP 2023, in the vectorised
form of ESPnet's second version. Features are (B, D, frames, bins). Parameters have the names of the public checkpoints.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-5


class FrameNorm(nn.Module):
    """Normalisation of each frame over channels and bins, with a gain and a bias for every channel and bin."""

    def __init__(self, *channels: int, bins: int, eps: float = EPS):
        super().__init__()
        self.eps = eps
        self.gamma = nn.Parameter(torch.ones(1, *channels, 1, bins))
        self.beta = nn.Parameter(torch.zeros(1, *channels, 1, bins))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, …, channels, frames, bins) to the same shape."""
        variance, mean = torch.var_mean(inputs, dim=(-3, -1), correction=0, keepdim=True)
        return (inputs - mean) * torch.rsqrt(variance + self.eps) * self.gamma + self.beta


class HeadNorm(FrameNorm):
    """A split into attention heads, each with its own PReLU slope and normalised frame by frame."""

    def __init__(self, heads: int, channels: int, bins: int, eps: float = EPS):
        super().__init__(heads, channels, bins=bins, eps=eps)
        self.heads = heads
        self.act = nn.PReLU(heads)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, heads · channels, frames, bins) to one vector per frame, (B, heads, frames, channels · bins)."""
        return super().forward(self.act(inputs.unflatten(1, (self.heads, -1)))).transpose(2, 3).flatten(3)


class GridNetBlock(nn.Module):
    """A block of three residual parts: frequency path ("intra"), time path ("inter") and attention.

    An LSTM input consists of `kernel` neighbouring bins or frames; there is one every `stride`. A head's queries and
    keys have `qk_channels` channels (E). The number of `bins` is fixed by the gains, the number of frames is not.
    """

    def __init__(
        self,
        channels: int,
        kernel: int,
        stride: int,
        hidden: int,
        heads: int,
        qk_channels: int,
        bins: int,
        eps: float = EPS,
    ):
        super().__init__()
        self.kernel = kernel
        self.stride = stride
        self.intra_norm = nn.LayerNorm(channels, eps=eps)
        self.intra_rnn = nn.LSTM(channels * kernel, hidden, batch_first=True, bidirectional=True)
        self.intra_linear = _back_projection(channels, kernel, stride, hidden)
        self.inter_norm = nn.LayerNorm(channels, eps=eps)
        self.inter_rnn = nn.LSTM(channels * kernel, hidden, batch_first=True, bidirectional=True)
        self.inter_linear = _back_projection(channels, kernel, stride, hidden)
        self.attn_conv_Q = nn.Conv2d(channels, heads * qk_channels, 1)
        self.attn_norm_Q = HeadNorm(heads, qk_channels, bins, eps)
        self.attn_conv_K = nn.Conv2d(channels, heads * qk_channels, 1)
        self.attn_norm_K = HeadNorm(heads, qk_channels, bins, eps)
        self.attn_conv_V = nn.Conv2d(channels, channels, 1)
        self.attn_norm_V = HeadNorm(heads, channels // heads, bins, eps)
        self.attn_concat_proj = nn.Sequential(
            nn.Conv2d(channels, channels, 1), nn.PReLU(), FrameNorm(channels, bins=bins, eps=eps)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, D, frames, bins) to the same shape."""
        frames, bins = inputs.shape[2:]
        margin = self.kernel - self.stride
        grid = functional.pad(inputs, (margin, self._end(bins), margin, self._end(frames))).movedim(1, 3)
        grid = self._path(grid, self.intra_norm, self.intra_rnn, self.intra_linear)  # (B, frames, bins, D)
        grid = self._path(grid.transpose(1, 2), self.inter_norm, self.inter_rnn, self.inter_linear)
        hidden = grid[:, margin : margin + bins, margin : margin + frames].permute(0, 3, 2, 1)
        return hidden + self.attend(hidden)

    def attend(self, inputs: Tensor) -> Tensor:
        """Attend between whole frames; map (B, D, frames, bins) to the same shape."""
        query = self.attn_norm_Q(self.attn_conv_Q(inputs))
        key = self.attn_norm_K(self.attn_conv_K(inputs))
        value = self.attn_norm_V(self.attn_conv_V(inputs))
        attended = functional.scaled_dot_product_attention(query, key, value)  # (B, heads, frames, D / heads · bins)
        heads = attended.unflatten(3, (-1, inputs.shape[3])).transpose(2, 3)
        return self.attn_concat_proj(heads.flatten(1, 2))

    def _end(self, count: int) -> int:
        """Return the padding after `count` bins or frames: the margin, and the rest of the last window."""
        margin = self.kernel - self.stride
        return margin + -(count + 2 * margin - self.kernel) % self.stride

    def _path(self, grid: Tensor, norm: nn.LayerNorm, rnn: nn.LSTM, linear: nn.Module) -> Tensor:
        """Run a recurrent layer along the third axis of (B, others, along, D); add the residual."""
        rows = grid.flatten(0, 1)
        windows = norm(rows).unfold(1, self.kernel, self.stride)  # (rows, windows, D, kernel)
        if self.kernel == self.stride:  # windows do not overlap; neighbours vary slowest, D fastest
            found = linear(rnn(windows.mT.flatten(2))[0]).view_as(rows)
        else:
            found = linear(rnn(windows.flatten(2))[0].mT).mT
        return grid + found.unflatten(0, grid.shape[:2])


def _back_projection(channels: int, kernel: int, stride: int, hidden: int) -> nn.Module:
    """Return a layer from the LSTM's two directions to the neighbours of a window."""
    if kernel == stride:
        return nn.Linear(2 * hidden, channels * kernel)
    return nn.ConvTranspose1d(2 * hidden, channels, kernel, stride)
