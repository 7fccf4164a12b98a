"""The official baseline's dense autoencoder (docs/baseline.md).

A training example is a vector of five consecutive log-mel frames. A clip is scored by its mean squared error, or by the
Mahalanobis distance of its mean residual from the residuals in training.
"""

import logging
from collections.abc import Iterable
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.errors import AsdError
from asdlib.examples.clips import Batch, Clips
from asdlib.layers.dense import dense_layers
from asdlib.models.clip_shares import ClipShares, decomposed
from asdlib.runtime.devices import send

_notice = logging.getLogger("asdlib.notice")  # also shown on stderr


class FrameVectors:
    """All vectors of `frames` consecutive frames of the clips, oldest frame first, as views of the features.

    The label of a vector is the index of its clip.
    """

    def __init__(self, clips: Clips, frames: int):
        count, rows, bands = clips.features.shape
        self.features = clips.features.contiguous()
        self._vectors = (count * rows - frames + 1, frames * bands), (bands, 1)  # the size and strides of the views
        starts = (clips.frames - frames + 1).clamp_min(0)  # a clip shorter than `frames` has no vector
        inside = torch.arange(rows) < starts[:, None]  # (clips, frames): True where a vector of real frames starts
        self._starts = inside.flatten().nonzero().squeeze(1)
        self._clips = self._starts // rows
        self._target = clips.target

    def __len__(self) -> int:
        return len(self._starts)

    def batch(self, indices: Tensor) -> Batch:
        """Return the vectors of these indices, (B, frames · bands)."""
        starts = send(self._starts[indices], self.features.device)
        vectors = self.features.as_strided(*self._vectors).index_select(0, starts)
        clips = self._clips[indices]
        return Batch(vectors, torch.ones(len(indices), dtype=torch.int64), self._target[clips], labels=clips)


class DenseAutoencoder(nn.Module):
    """640 → 128 ×4 → 8 → 128 ×4 → 640; every layer except the last has batch norm and ReLU.

    It computes in float32 also where a recipe sets `precision: bf16`: ten rounded layers with batch norm turn the
    gradient (cosine 0.92 on real log-mel), and the official network is compared digit by digit.
    """

    def __init__(
        self,
        frames: int = 5,
        bands: int = 128,
        hidden: int = 128,
        latent: int = 8,
        depth: int = 4,
        batch_norm_momentum: float = 0.01,
        batch_norm_eps: float = 0.001,
    ):
        super().__init__()
        self.frames = frames
        self.bands = bands
        norm = {"momentum": batch_norm_momentum, "eps": batch_norm_eps}
        widths = [frames * bands, *[hidden] * depth, latent]
        self.encoder = nn.Sequential(*dense_layers(widths, norm))
        self.decoder = nn.Sequential(*dense_layers(widths[:0:-1], norm), nn.Linear(hidden, widths[0]))
        # Set by `finish`: the scatter of the training residuals, which have one row of `bands` values per frame.
        self.register_buffer("cov_source", torch.eye(bands))
        self.register_buffer("cov_target", torch.eye(bands))
        self._clips: Clips | None = None  # those that the network is trained on

    @staticmethod
    def least_frames(frames: int = 5, **_: object) -> int:
        """Return the frames that a clip needs to have a vector."""
        return frames

    def examples(self, clips: Clips) -> FrameVectors:
        """Return the vectors that the network is trained on."""
        self._clips = clips
        return FrameVectors(clips, self.frames)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the reconstruction of vectors, (B, frames · bands)."""
        with torch.autocast(vectors.device.type, enabled=False):
            return self.decoder(self.encoder(vectors.float()))

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean squared error over all vectors and dimensions."""
        return functional.mse_loss(self(batch.features), batch.features)

    @torch.no_grad()
    def finish(self, training: Iterable[Batch], validation: Iterable[Batch], losses: Tensor) -> dict[str, Tensor]:
        """Compute the residuals' scatter after the last epoch; return the samples for the decision thresholds.

        `losses` are the mean losses of the last epoch's batches. Both samples are of shuffled batches, not of clips,
        as in the official code. This is why the official thresholds are far from the quantiles of clip scores.

        `mahalanobis_left_out` (2, clips) has the scores of the training clips, and below them their scores by scatters
        that do not contain its recording, which a fitted threshold needs. A single clip has no such score.
        """
        several = self._clips is not None and len(self._clips.table) > 1
        shares = ClipShares(self._clips.wholes, self.bands, self.cov_source.device) if several else None
        scatters = zip(("source", "target"), self.residual_scatter(training, shares), strict=True)
        self.cov_source, self.cov_target = (_invertible(scatter, domain) for domain, scatter in scatters)
        batches = chain(training, validation)
        means = torch.stack([self.residuals(batch.features).mean(0) for batch in batches])
        watched = [self.loss(batch) for batch in validation]
        samples = {
            "mse": torch.cat([losses, *[loss[None] for loss in watched]]),
            "mahalanobis": self.distances(means).amin(1),
        }
        return samples | ({"mahalanobis_left_out": self._left_out(shares)} if shares else {})

    def residual_scatter(self, batches: Iterable[Batch], shares: ClipShares | None = None) -> tuple[Tensor, Tensor]:
        """Return the scatter DᵀD of the residuals' rows for source and target vectors, each (bands, bands).

        Each batch is centred on its own mean. As in the official code, the sum is divided by the number of *vectors*
        less one, not of rows, which gives about five times a covariance. Without target vectors, both are the source's.
        What each recording adds to the sums is added to `shares`, if they are given.
        """
        scatter = torch.zeros(2, self.bands, self.bands, device=self.cov_source.device)
        vectors = torch.zeros(2, device=scatter.device)
        for batch in batches:
            residuals = batch.features - self(batch.features)
            for domain, chosen in enumerate((~batch.target, batch.target)):
                rows = residuals[chosen].reshape(-1, self.bands)  # five rows per vector
                if len(rows):
                    centred = rows - rows.mean(0)
                    scatter[domain] += centred.T @ centred
                    vectors[domain] += chosen.sum()
                    if shares:
                        shares.add(batch.labels[chosen], centred)
        if not vectors[1]:
            scatter[1], vectors[1] = scatter[0], vectors[0]
        source, target = scatter / (vectors - 1).clamp_min(1)[:, None, None]
        return source, target

    def _left_out(self, shares: ClipShares) -> Tensor:
        """Return the scores of the training clips, with and without their shares in the scatter of their domain."""
        clips, device = self._clips, self.cov_source.device
        # Made first: small results behind the residuals of each clip would keep all their memory from being reused.
        means = torch.empty(len(clips.frames), self.bands, device=device)
        for mean, clip, frames in zip(means, clips.features, clips.frames.tolist(), strict=True):
            mean.copy_(self.residuals(self._vectors(send(clip[:frames], device).float())).mean(0))
        distances = self.distances(means)
        left_out = distances.clone()
        for domain, scatter in enumerate((self.cov_source, self.cov_target)):
            members = send((clips.target == bool(domain)).nonzero().squeeze(1), device)
            left_out[members, domain] = shares.distances(members, scatter, means[members])
        if not clips.target.any():  # both scatters are the source's
            left_out[:, 1] = left_out[:, 0]
        known, unknown = distances.amin(1), left_out.amin(1)
        return torch.stack([known, torch.where(unknown.isfinite(), unknown, known)])

    def residuals(self, vectors: Tensor) -> Tensor:
        """Return x̂ − x as rows of `bands` values, (B · frames, bands)."""
        return (self(vectors) - vectors).reshape(-1, self.bands)

    def distances(self, mean_residuals: Tensor) -> Tensor:
        """Return δ̄ᵀ Σ⁻¹ δ̄ of mean residuals (B, bands) for the source and the target scatter, (B, 2).

        This is the distance of the *mean* residual, not the mean of the rows' distances: it equals the average of all
        entries of the official code's δ Σ⁻¹ δᵀ. With Σ = L Lᵀ it is |L⁻¹ δ̄|², which rounding cannot make negative.
        Raises AsdError if a scatter is singular.
        """
        try:
            factors = torch.linalg.cholesky(torch.stack([self.cov_source, self.cov_target]).double())
        except torch.linalg.LinAlgError as error:
            reason = " ".join(str(error).split())
            raise AsdError(
                f"model dense_autoencoder: a residual scatter is singular ({reason}): add training clips"
            ) from error
        scaled = torch.linalg.solve_triangular(factors, mean_residuals.double().T, upper=False)  # (domains, bands, B)
        return scaled.square().sum(1).T.to(mean_residuals.dtype)

    @torch.no_grad()
    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return `mse` (B, 1) and `mahalanobis` (B, 2: source, target) of whole clips (B, frames, bands)."""
        clips = zip(batch.features, batch.frames.tolist(), strict=True)
        residuals = [self.residuals(self._vectors(clip[:frames])) for clip, frames in clips]
        means = torch.stack([rows.mean(0) for rows in residuals])
        return {
            "mse": torch.stack([rows.square().mean() for rows in residuals])[:, None],
            "mahalanobis": self.distances(means),
        }

    def _vectors(self, clip: Tensor) -> Tensor:
        """Return all vectors of a clip (frames, bands), or none if the clip is shorter than a vector."""
        count = max(0, len(clip) - self.frames + 1)
        return clip.contiguous().as_strided((count, self.frames * self.bands), (self.bands, 1))


def _invertible(scatter: Tensor, domain: str) -> Tensor:
    """Return a scatter with eigenvalues below the working precision raised to it, and a warning if there are any.

    With few or short clips, the residuals do not vary in every direction. The rest is rounding, of either sign, and its
    inverse would turn the distances into huge numbers of either sign. A positive definite scatter is returned as it is.
    """
    values, vectors, raised = decomposed(scatter)
    if not raised:
        return scatter
    _notice.warning(
        "dense_autoencoder: the residual scatter of the %s domain is not positive definite to working precision: %d of "
        "%d eigenvalues are raised; its Mahalanobis distance means little without more training clips",
        domain, raised, len(values),
    )  # fmt: skip
    return ((vectors * values) @ vectors.T).to(scatter.dtype)
