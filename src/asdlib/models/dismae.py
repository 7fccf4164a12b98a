"""Audio DisMAE, a disentangled masked autoencoder of log-mel spectrograms (Bian and Chen, DCASE 2025 Task 2).

A semantic encoder sees a quarter of a spectrogram and a variation encoder sees a third of it. A decoder reconstructs
the whole spectrogram from the tokens of the semantic encoder and a single token of the variation encoder. A clip is
anomalous if it is reconstructed badly, or if its semantic token is far from those of normal clips.
"""

import logging
from typing import Any

import torch
from torch import Tensor

from asdlib.errors import AsdError, WrongSettingError
from asdlib.examples.clips import Batch, Clips
from asdlib.examples.domain_rounds import DomainRounds
from asdlib.examples.level_range import machine_levels, scaled
from asdlib.layers.masking import removed, structured_keep
from asdlib.layers.patches import patchify
from asdlib.layers.transformer import initialise
from asdlib.models.dismae_domain_head import DomainHead
from asdlib.models.dismae_network import DismaeNetwork
from asdlib.runtime.compiler import can_compile
from asdlib.runtime.devices import send

DOMAINS = ("machine_type", "condition")
UNITS = ("variance", "level")
_log = logging.getLogger(__name__)


class Dismae(DismaeNetwork):
    """Log-mel clips (B, frames, bands) in dB, divided into bands / patch rows and frames / patch columns of patches.

    `domains` says which domains the variation encoder separates: `machine_type` (a joint model of all machines) or
    `condition` (source, target and noise-augmented clips of one machine). `margin` and `temperature` are in units of
    the `variance` of a machine's levels or of a squared `level` (`contrast_units`). The domain head is trained in the
    first `head_epochs` epochs and in every `head_every`th epoch up to `head_until`. `compile` is for CUDA only.
    """

    def __init__(
        self,
        bands: int = 128,
        frames: int = 1008,
        patch: int = 16,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        variation_depth: int = 6,
        decoder_width: int = 512,
        decoder_depth: int = 8,
        decoder_heads: int = 16,
        mlp_ratio: float = 4.0,
        mask_ratio: float = 0.75,
        variation_mask_ratio: float = 0.65,
        domains: str = "machine_type",
        round_domains: int = 3,
        round_clips: int = 32,
        adaptive_weight: float = 1e-3,
        margin: float = 8e-3,
        temperature: float = 0.4,
        contrast_units: str = "variance",
        head_rate: float = 5e-4,
        head_momentum: float = 0.99,
        head_weight_decay: float = 0.05,
        head_mask_ratio: float = 0.15,
        head_epochs: int = 6,
        head_every: int = 15,
        head_until: int = 100,
        score_masks: int = 8,
        compile: bool = False,
    ):
        _refuse(bands, frames, patch, domains, contrast_units)
        super().__init__(
            bands // patch, frames // patch, patch, width, depth, heads, variation_depth,
            decoder_width, decoder_depth, decoder_heads, mlp_ratio,
        )  # fmt: skip
        self.bands, self.frames = bands, frames
        self.mask_ratio, self.variation_mask_ratio = mask_ratio, variation_mask_ratio
        self.head_mask_ratio = head_mask_ratio
        self.domains, self.round_domains, self.round_clips = domains, round_domains, round_clips
        self.adaptive_weight, self.margin, self.temperature = adaptive_weight, margin, temperature
        self.contrast_units = contrast_units
        self.head_optimiser = {"rate": head_rate, "momentum": head_momentum, "weight_decay": head_weight_decay}
        self.head_epochs, self.head_every, self.head_until = head_epochs, head_every, head_until
        self.score_masks, self.compile_for_cuda = score_masks, compile
        self._head_learns = self._compiled = False

    # --- before training: levels and domains -------------------------------------------------------------------

    def survey(self, clips: Clips) -> dict[str, Any]:
        """Return the machines, the range (dB) and variance of the levels of each, and the domains."""
        self.refuse(clips, self.bands, self.frames, self.patch)
        if self.domains == "condition" and len(set(clips.column("machine"))) > 1:
            raise AsdError("model dismae: domains condition is for the clips of one machine: use scope: machine")
        return {**machine_levels(clips), "domains": sorted(set(self._domains_of(clips)))}

    def grow(self, facts: dict[str, Any]) -> None:
        """Build the domain head for the number of domains."""
        self.facts = facts
        self.reweight_classifier = DomainHead(self.norm.weight.numel(), len(facts["domains"]), **self.head_optimiser)
        initialise(self.reweight_classifier)
        self.register_buffer("ranges", torch.tensor(facts["ranges"]), persistent=False)  # (machines, 2)
        units = facts["variances"] if self.contrast_units == "variance" else [1.0] * len(facts["variances"])
        self.register_buffer("units", torch.tensor(units), persistent=False)  # of squared errors, (machines,)
        self._known: int | None = None

    def examples(self, clips: Clips) -> DomainRounds:
        """Return rounds of clips of a few domains; the labels are the machine and domain of each clip, (B, 2)."""
        machines = [self.facts["machines"].index(name) for name in clips.column("machine")]
        domains = [self.facts["domains"].index(name) for name in self._domains_of(clips)]
        return DomainRounds(clips, torch.tensor([machines, domains]).T, self.round_domains, self.round_clips)

    def _domains_of(self, clips: Clips) -> list[str]:
        if self.domains == "machine_type":
            return clips.column("machine")
        pairs = zip(clips.column("view_kind"), clips.column("domain"), strict=True)
        return ["augmented" if kind == "augmented" else domain or "source" for kind, domain in pairs]

    def images(self, features: Tensor, frames: Tensor, ranges: Tensor) -> tuple[Tensor, Tensor]:
        """Return clips in [0, 1], (B, bands, frames), and True for patches with real frames, (B, patches)."""
        images = scaled(features, frames, ranges, self.frames).transpose(1, 2)
        starts = torch.arange(self.columns, device=frames.device) * self.patch
        return images, (starts < frames[:, None]).repeat(1, self.rows)

    # --- training ----------------------------------------------------------------------------------------------

    def loss(self, batch: Batch) -> Tensor:
        """Return the sum of the terms."""
        return sum(self.terms(batch).values())

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Return the reconstruction error of removed patches and the weighted adaptive contrastive loss."""
        machine, domain = batch.labels.unbind(1)
        images, real = self.images(batch.features, batch.frames, self.ranges[machine])
        self._compile_once(images.device)
        tokens = self.tokens(images)
        keep = self._draw(tokens, self.mask_ratio), self._draw(tokens, self.variation_mask_ratio)
        patches = patchify(images, self.patch)
        reconstruction, adaptive = self.errors(
            tokens, patches, real, domain, keep, self.units[machine], self.margin, self.temperature
        )
        # Last, because autocast caches weights: those first used without a gradient would be reused without one.
        if self.training and self._head_learns:
            self._teach_head(tokens, domain)
        return {"reconstruction": reconstruction, "contrastive": self.adaptive_weight * adaptive}

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Decide whether the domain head is trained in this epoch."""
        again = epoch % self.head_every == 0 and epoch <= self.head_until
        self._head_learns = epoch < self.head_epochs or again

    def epoch_metrics(self) -> dict[str, float]:
        """Return how well the domain head knew the domains of the clips of an epoch."""
        return self.reweight_classifier.measured()

    def after_step(self, step: int, steps: int) -> None:
        """Take a step of the domain head's own optimiser."""
        self.reweight_classifier.step()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Exempt biases and norms from weight decay, and leave out the domain head, which has its own optimiser."""
        trained = [weight for weight in self.parameters() if weight.requires_grad]
        vectors = {"params": [weight for weight in trained if weight.dim() == 1], "weight_decay": 0.0}
        return [{"params": [weight for weight in trained if weight.dim() > 1]}, vectors]

    def _teach_head(self, tokens: Tensor, domain: Tensor) -> None:
        with torch.no_grad():
            semantic = self.encode(tokens, self._draw(tokens, self.head_mask_ratio), self.blocks)
        self.reweight_classifier.observe(semantic[:, 0], domain)

    def _draw(self, tokens: Tensor, ratio: float) -> Tensor:
        return send(structured_keep(len(tokens), self.rows, self.columns, ratio), tokens.device)

    def _compile_once(self, device: torch.device) -> None:
        """Compile the blocks before the first step on CUDA; on a CPU, compiling takes longer than it saves."""
        if self.compile_for_cuda and not self._compiled and device.type == "cuda" and can_compile():
            torch._functorch.config.donated_buffer = False  # the trainer runs backward for each term of the loss
            for block in self.transformer_blocks:
                block.compile(dynamic=True)  # encoders and decoder see different numbers of tokens
            self._compiled = True

    # --- scoring -----------------------------------------------------------------------------------------------

    def for_machine(self, machine: str) -> None:
        """Select the machine whose clips are embedded next: each machine has its own range of levels."""
        if machine not in self.facts["machines"]:
            known = ", ".join(self.facts["machines"])
            raise AsdError(f"model dismae: was not trained on {machine}: use one of: {known}")
        self._known = self.facts["machines"].index(machine)

    @torch.no_grad()
    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return the representations of clips, (B, dimensions) each.

        `mse` (1): the mean squared error of the removed real patches over `score_masks` pairs of masks, which are the
        same for every clip; `mse_full` (1): the mean squared error of all real patches with none removed; `semantic`
        (width): the semantic CLS token with no patch removed.
        """
        self.refuse(batch, self.bands, self.frames, self.patch)
        images, real = self.images(batch.features, batch.frames, self._range().expand(len(batch.frames), 2))
        tokens, patches = self.tokens(images), patchify(images, self.patch)
        everything = torch.arange(patches.shape[1], device=tokens.device).expand(len(tokens), -1)
        full, semantic = self._errors(tokens, patches, everything, everything)
        sums, counts = torch.zeros(len(tokens), device=tokens.device), torch.zeros(len(tokens), device=tokens.device)
        for number in range(self.score_masks):
            draw = torch.Generator().manual_seed(number)
            keep, keep_variation = (
                send(structured_keep(1, self.rows, self.columns, ratio, draw), tokens.device).expand(len(tokens), -1)
                for ratio in (self.mask_ratio, self.variation_mask_ratio)
            )
            counted = removed(keep, patches.shape[1]) & real
            sums += (self._errors(tokens, patches, keep, keep_variation)[0] * counted).sum(1)
            counts += counted.sum(1)
        return {
            "mse": (sums / counts)[:, None],
            "mse_full": ((full * real).sum(1) / real.sum(1))[:, None],
            "semantic": semantic,
        }

    def _errors(self, tokens: Tensor, patches: Tensor, keep: Tensor, keep_variation: Tensor) -> tuple[Tensor, Tensor]:
        """Return the squared error of each patch, (B, patches), and the semantic CLS token, (B, width)."""
        semantic = self.encode(tokens, keep, self.blocks)
        variation = self.encode(tokens, keep_variation, self.variation_blocks)[:, 0]
        return (self.decode(semantic, keep, variation) - patches).square().mean(2), semantic[:, 0]

    @staticmethod
    def refuse(clips: Clips | Batch, bands: int = 128, frames: int = 1008, patch: int = 16, **_: object) -> None:
        """Raise AsdError for features of other bands, or of more frames, than the network."""
        found = clips.features.shape[1:]
        if found[1] != bands:
            raise AsdError(f"model dismae: bands {bands}, features have {found[1]}: set it to the frontend's n_mels")
        if found[0] > frames:
            whole = -(-found[0] // patch) * patch
            raise WrongSettingError(f"model dismae: frames {frames}, features have {found[0]}", "frames", whole)

    def _range(self) -> Tensor:
        """Return the levels in dB, (2,), that are mapped to 0 and 1."""
        if self._known is None and len(self.ranges) > 1:
            _log.warning("the machine of these clips is not known: using the range of levels of all machines")
            return torch.stack([self.ranges[:, 0].min(), self.ranges[:, 1].max()])
        return self.ranges[self._known or 0]


def _refuse(bands: int, frames: int, patch: int, domains: str, contrast_units: str) -> None:
    for name, size in (("bands", bands), ("frames", frames)):
        if size % patch:
            raise AsdError(f"model dismae: {name} {size} is not a multiple of the patch size {patch}: change one")
    for name, given, known in (("domains", domains, DOMAINS), ("contrast_units", contrast_units, UNITS)):
        if given not in known:
            raise AsdError(f"model dismae: {name} {given!r}: use one of: {', '.join(known)}")
