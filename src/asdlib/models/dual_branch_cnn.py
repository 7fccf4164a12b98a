"""The dual-branch CNN, which classifies machines, domains and attributes (report 5, §2.1).

The network and its training are those of the paper that the report builds on: K. Wilkinghoff, "Self-supervised
learning for anomalous sound detection", ICASSP 2024. Clips are mixed and exchange statistics and embeddings; exchanged
clips belong to classes of their own. docs/system5.md lists what the report leaves open.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional

from asdlib.errors import AsdError, WrongSettingError
from asdlib.examples.classes import class_names, class_numbers
from asdlib.examples.clips import Batch, Clips, Origin, origins
from asdlib.examples.dual_spectra import DualSpectra
from asdlib.examples.whole_clips import WholeClips
from asdlib.layers.spectra import magnitude_spectrogram, magnitude_spectrum, without_mean
from asdlib.losses.sub_cluster_adacos import SubClusterAdaCos
from asdlib.models.dual_branch_densities import ClassDensities
from asdlib.models.dual_branch_exchange import exchange_labels, exchange_rows, exchange_statistics, mixed
from asdlib.models.dual_branch_excitation import SqueezeExcitation
from asdlib.models.dual_branch_networks import SpectrogramBranch, SpectrumBranch

_log = logging.getLogger(__name__)
FEWEST_FRAMES = 5  # fewer do not survive the stem's convolution and pooling


class DualBranchCnn(nn.Module):
    """Rows of the frontend `dual_spectra` → `embedding` (B, 2 · dimensions) of length 1, and log densities of classes.

    `largest_scale` limits the scale of both losses (None: not). `mixup`, `statex` and `featex` are the probabilities of
    the three exchanges. `kernel_penalty` is the weight of the squares of the kernels (`penalised`) in the loss.
    Embedding uses the spectrum and the spectrogram in the rows. Training uses the waveform, because clips are mixed
    before the spectra are computed.
    """

    finishes_with_each_once = True  # the Gaussians know each training clip once

    def __init__(
        self,
        samples: int = 160000,
        n_fft: int = 1024,
        hop_length: int = 512,
        spectrum_channels: int = 128,
        spectrogram_channels: list[int] | None = None,
        dimensions: int = 128,
        se_ratio: int = 16,
        sub_clusters: int = 16,
        largest_scale: float | None = None,
        mixup: float = 0.5,
        statex: float = 0.5,
        featex: float = 0.5,
        kernel_penalty: float = 0.0,
        density_components: int = 32,
    ):
        super().__init__()
        self.layout = DualSpectra(samples, n_fft, hop_length)
        if self.layout.frames < FEWEST_FRAMES:
            least = _least_samples(self.layout)
            raise AsdError(
                f"model dual_branch_cnn: samples {samples} make too few frames: use clips of {least} or more"
            )
        self.sub_clusters = sub_clusters
        self.largest_scale = largest_scale
        self.mixup = mixup
        self.statex = statex
        self.featex = featex
        self.kernel_penalty = kernel_penalty
        self.density_components = density_components
        self.spectrum = SpectrumBranch(samples // 2, spectrum_channels, dimensions, se_ratio)
        channels = spectrogram_channels or [16, 16, 32, 64, 128]
        self.spectrogram = SpectrogramBranch(self.layout.bins, channels, dimensions, se_ratio)
        for kernel in _kernels(self):
            nn.init.xavier_uniform_(kernel)
        self.dimensions = 2 * dimensions

    @staticmethod
    def refuse(clips: Clips, samples: int = 160000, n_fft: int = 1024, hop_length: int = 512, **_: object) -> None:
        """Raise AsdError for features of another frontend, or of clips of another length."""
        refuse_other_rows(clips.features, DualSpectra(samples, n_fft, hop_length))

    def survey(self, clips: Clips) -> dict[str, Any]:
        """Return the classes of the training clips (section, machine, domain, attributes), their machines and members.

        A member is a recording in a view; copies of a recording that were remixed cannot be told apart and are none.
        """
        names = class_names(clips, section=True)
        machines = dict(zip(names, clips.column("machine"), strict=True))
        classes = sorted(machines)
        members = [_member(origin) for origin in origins(clips.table)]
        copies = Counter(members)
        found = zip(members, class_numbers(names, classes).tolist(), strict=True)
        return {
            "classes": classes,
            "machines": [machines[name] for name in classes],
            "members": {member: number for member, number in found if copies[member] == 1},
        }

    def grow(self, facts: dict[str, Any]) -> None:
        """Build the two losses and the Gaussians for the number of classes."""
        self.classes: list[str] = facts["classes"]
        self.machines: list[str] = facts["machines"]
        self.members: dict[str, int] = facts["members"]
        self.own: list[int] | None = None  # the classes of the machine whose clips are embedded
        count = len(self.classes)
        # The centres of the clips' own classes stay at their random initial values; those of exchanged clips are
        # trained. A third loss, over the 3·C classes after the first exchange, has weight 0 in the published code and
        # is left out.
        sizes = {"sub_clusters": self.sub_clusters, "largest_scale": self.largest_scale}
        self.own_loss = SubClusterAdaCos(self.dimensions, count, trainable=False, **sizes)
        self.exchange_loss = SubClusterAdaCos(self.dimensions, 9 * count, trainable=True, **sizes)
        self.densities = ClassDensities(self.dimensions, self.density_components, count)

    def examples(self, clips: Clips) -> WholeClips:
        """Return the clips' waveforms (samples,) with their classes; `frames` counts the spectrogram's real frames."""
        refuse_other_rows(clips.features, self.layout)
        frames = [self.layout.real_frames(samples) for samples in clips.column("samples")]
        index = clips.table.schema.get_field_index("frames")
        table = clips.table.set_column(index, "frames", pa.array(frames, pa.int32()))
        waveforms = Clips(table, self.layout.waveforms(clips.features))
        return WholeClips(waveforms, class_numbers(class_names(clips, section=True), self.classes))

    def loss(self, batch: Batch) -> Tensor:
        """Return the sum of the terms."""
        return sum(self.terms(batch).values())

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Return both cross-entropies for waveforms (B, samples) with exchanges, and the kernel penalty."""
        labels = functional.one_hot(batch.labels, len(self.classes)).float()
        blended = self._chosen(self.mixup, labels)
        share = torch.where(blended, torch.rand(len(labels), device=labels.device), 1.0)
        waveforms, labels = mixed(batch.features, share), mixed(labels, share)
        frames = torch.where(blended, batch.frames.minimum(batch.frames.flip(0)), batch.frames)  # real in both

        exchanged = self._chosen(self.statex, labels)
        magnitudes = exchange_statistics(self._magnitudes(waveforms), exchanged)
        one, other = self.spectrum(magnitude_spectrum(waveforms)), self.spectrogram(without_mean(magnitudes, frames))
        own = self.own_loss(torch.cat([one, other], 1), labels)

        labels = exchange_labels(labels, exchanged)  # (B, 3·C)
        exchanged = self._chosen(self.featex, labels)
        joined = torch.cat([one, exchange_rows(other, exchanged)], 1)
        exchange = self.exchange_loss(joined, exchange_labels(labels, exchanged))  # (B, 9·C)
        terms = {"own": own, "exchanged": exchange}
        if self.kernel_penalty:
            terms["kernels"] = self.kernel_penalty * sum(kernel.square().sum() for kernel in self.penalised())
        return terms

    def penalised(self) -> list[Tensor]:
        """Return the weights of every convolution and dense layer outside the blocks of squeeze and excitation."""
        blocks = [layer for layer in self.modules() if isinstance(layer, SqueezeExcitation)]
        free = {id(kernel) for block in blocks for kernel in _kernels(block)}
        return [kernel for kernel in _kernels(self) if id(kernel) not in free]

    def represent(self, spectrogram: Tensor, spectrum: Tensor) -> Tensor:
        """Return the joint embedding of spectrogram and spectrum, of unit length, (B, 2 · dimensions)."""
        return functional.normalize(torch.cat([self.spectrum(spectrum), self.spectrogram(spectrogram)], 1))

    @torch.no_grad()
    def finish(self, training: Iterable[Batch], validation: Iterable[Batch], losses: Tensor) -> dict[str, Tensor]:
        """Fit one Gaussian per class to the embeddings of all training clips; return no calibration samples."""
        found = []
        for batch in chain(training, validation):
            spectrogram = without_mean(self._magnitudes(batch.features), batch.frames)
            found.append((self.represent(spectrogram, magnitude_spectrum(batch.features)), batch.labels))
        embeddings, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
        self.densities.fit(embeddings, labels)
        return {}

    def for_machine(self, machine: str) -> None:
        """Select the machine whose clips are embedded next, and with it the classes in `own_log_density`."""
        if machine not in self.machines:
            known = ", ".join(sorted(set(self.machines)))
            raise AsdError(f"model dual_branch_cnn: was not trained on {machine}: use one of: {known}")
        self.own = [number for number, name in enumerate(self.machines) if name == machine]

    @torch.no_grad()
    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return `embedding` (B, 2 · dimensions), `log_density` (B, classes) and `own_log_density` (B, own classes).

        A log density is ln p(embedding | class). `own_log_density` is for the classes of the selected machine only. In
        `log_density_left_out` and `own_log_density_left_out`, a training clip does not belong to its class.
        """
        refuse_other_rows(batch.features, self.layout)
        if self.own is None and len(set(self.machines)) > 1:
            _log.warning("the machine of these clips is not known: all classes are treated as its own")
        embedding = self.represent(*self.layout.spectra(batch.features))
        densities = self.densities(embedding)
        found = {"log_density": densities, "log_density_left_out": self._left_out(embedding, densities, batch)}
        own = {f"own_{name}": array if self.own is None else array[:, self.own] for name, array in found.items()}
        return {"embedding": embedding} | {name: array.float() for name, array in (found | own).items()}

    def _left_out(self, embedding: Tensor, densities: Tensor, batch: Batch) -> Tensor:
        """Return log densities (B, classes) in which each training clip is left out of its own class."""
        classes = [self.members.get(_member(origin)) for origin in batch.origins or []]
        rows = [row for row, number in enumerate(classes) if number is not None]
        found = densities.clone()
        if rows:
            labels = torch.tensor([classes[row] for row in rows], device=found.device)
            found[rows, labels] = self.densities.left_out(embedding[rows], labels)
        return found

    def _magnitudes(self, waveforms: Tensor) -> Tensor:
        return magnitude_spectrogram(waveforms, self.layout.n_fft, self.layout.hop_length)

    def _chosen(self, chance: float, labels: Tensor) -> Tensor:
        """Draw the clips that are exchanged, (B,) bool; none in evaluation mode."""
        return torch.rand(len(labels), device=labels.device) < (chance if self.training else 0.0)


def _kernels(network: nn.Module) -> list[Tensor]:
    """Return the weights of every convolution and dense layer."""
    kinds = (nn.Conv1d, nn.Conv2d, nn.Linear)
    return [layer.weight for layer in network.modules() if isinstance(layer, kinds)]


def _member(origin: Origin) -> str:
    return f"{origin.view}: {origin.recording}"


def refuse_other_rows(rows: Tensor, layout: DualSpectra) -> None:
    """Raise AsdError for rows of another frontend than that of the layout."""
    if rows.shape[1:] == (1, layout.values):
        return
    other = layout.with_values(rows.shape[2]) if rows.shape[1] == 1 else None
    if other and other.frames >= FEWEST_FRAMES:
        what = f"model dual_branch_cnn: samples {layout.samples}, clips have {other.samples}"
        raise WrongSettingError(what, "samples", other.samples)
    found = "×".join(map(str, rows.shape[1:]))
    raise AsdError(
        f"model dual_branch_cnn: rows of {found} values instead of {layout.values}: use the frontend dual_spectra "
        f"with the same n_fft and hop_length, and clips of {_least_samples(layout)} samples or more"
    )


def _least_samples(layout: DualSpectra) -> int:
    return layout.n_fft + (FEWEST_FRAMES - 1) * layout.hop_length
