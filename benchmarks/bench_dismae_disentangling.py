"""What the two tokens of Audio DisMAE learn: `bench_dismae_disentangling.py RESULTS`, after a run of system 1.

A small network is trained from excerpts of the clips in the feature tables in RESULTS/features, 1.1 s long so that it
takes minutes. `--full` trains the network of the recipe `dismae_tiny` from whole clips instead, which needs a GPU. The
table compares it with its initial weights, with the constants of the contrastive loss in units of
the variance and of the levels:
- anchor: the contrastive loss of an anchor without weights, and its value at chance;
- swap: how much a reconstruction changes if the variation token comes from another clip, relative to its error;
- probe: balanced accuracy of a linear classifier of the domain (4-fold over recordings) on each token;
- head: the accuracy of the domain head on the same clips.
"""

import argparse
import copy
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import torch
from gpu_recipes import full_recipe
from torch import Tensor
from torch.nn import functional

from asdlib.examples.clips import Batch, Clips, load_clips
from asdlib.layers.patches import patchify
from asdlib.models.dismae import Dismae
from asdlib.training.settings import Training
from asdlib.training.trainer import Trainer

SMALL = {
    "frames": 112, "width": 32, "depth": 2, "heads": 2, "variation_depth": 1, "decoder_width": 32,
    "decoder_depth": 2, "decoder_heads": 2, "round_clips": 8, "head_epochs": 1000,
}  # fmt: skip
START = 200  # frame
ROUNDS = 40  # for the loss of an anchor
FOLDS = 4


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--units", nargs="+", default=["variance", "level"])
    options = parser.parse_args()
    if options.device == "cpu":
        torch.set_num_threads(1)
    paths = sorted((options.results / "features").glob("logmel_128_10ms-*/**/*.parquet"))
    clips = load_clips(paths, "train")
    clips = clips if options.full else _excerpts(clips)
    arguments = full_recipe("models", "dismae_tiny").arguments | {"head_epochs": 1000} if options.full else SMALL
    print(f"{len(clips.table)} clips, {options.epochs} epochs")
    print(f"{'':22}{'anchor':>8}{'chance':>8}{'swap':>8}{'semantic':>10}{'variation':>10}{'head':>7}")
    for units in options.units:
        torch.manual_seed(0)
        model = Dismae(**arguments | {"contrast_units": units})
        model.grow(model.survey(clips))
        initial = copy.deepcopy(model)
        _train(model, clips, options)
        for name, network in (("untrained", initial), ("trained", model)):
            print(f"{units + ', ' + name:22}{_row(network.eval(), clips)}", flush=True)


def _excerpts(clips: Clips) -> Clips:
    """Return a part of each clip, with as many frames as the network takes."""
    frames = SMALL["frames"]
    index = clips.table.column_names.index("frames")
    counts = pa.array([frames] * len(clips.table), pa.int32())
    return Clips(clips.table.set_column(index, "frames", counts), clips.features[:, START : START + frames])


def _train(model: Dismae, clips: Clips, options: argparse.Namespace) -> None:
    settings = Training(
        epochs=options.epochs, batch_size=1, learning_rate=options.rate, optimizer="adamw", betas=[0.9, 0.95],
        weight_decay=0.05, schedule="cosine", warmup_epochs=1, clip_norm=1.0, precision="bf16",
        steps_per_epoch=50 if options.full else None,  # there may be one round of the clips only
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        trainer = Trainer(settings, 0, torch.device(options.device), Path(folder) / "training.ckpt", "benchmark")
        trainer.train(model.to(options.device), model.examples(clips), len(clips.table))
    model.cpu()


@torch.no_grad()
def _row(model: Dismae, clips: Clips) -> str:
    batch = Batch(clips.features, clips.frames, clips.target, model.examples(clips)._labels)
    semantic, variation, change = _tokens(model, batch)
    domains = batch.labels[:, 1]
    head = model.reweight_classifier(semantic).argmax(1)
    files = [f"{one} {other}" for one, other in zip(clips.column("machine"), clips.column("source_file"), strict=True)]
    folds = torch.tensor([sorted(set(files)).index(file) for file in files]) % FOLDS
    probes = [_probe(tokens, domains, folds) for tokens in (semantic, variation)]
    return (
        f"{_anchor_loss(model, clips):8.3f}{math.log(model.round_clips):8.3f}{change:8.3f}"
        f"{probes[0]:10.2f}{probes[1]:10.2f}{_balanced(head, domains):7.2f}"
    )


def _tokens(model: Dismae, batch: Batch) -> tuple[Tensor, Tensor, float]:
    """Return the semantic and variation tokens of whole clips, and the effect of a swap within the domain."""
    semantic, variation, changes, errors = [], [], [], []
    machine, domain = batch.labels.unbind(1)
    for one in domain.unique():
        for part in (domain == one).nonzero().squeeze(1).split(16):
            images, _ = model.images(batch.features[part], batch.frames[part], model.ranges[machine[part]])
            tokens = model.tokens(images)
            every = torch.arange(tokens.shape[1]).expand(len(part), -1)
            keep = model._draw(tokens, model.mask_ratio)
            semantic.append((part, model.encode(tokens, every, model.blocks)[:, 0]))
            style = model.encode(tokens, every, model.variation_blocks)[:, 0]
            variation.append((part, style))
            seen = model.encode(tokens, keep, model.blocks)
            own, other = model.decode(seen, keep, style), model.decode(seen, keep, style.roll(1, 0))
            changes.append((own - other).square().mean())
            errors.append((own - patchify(images, model.patch)).square().mean())
    change = float((torch.stack(changes).mean() / torch.stack(errors).mean()).sqrt())
    return _ordered(semantic), _ordered(variation), change


def _ordered(parts: list[tuple[Tensor, Tensor]]) -> Tensor:
    rows, tokens = (torch.cat(column) for column in zip(*parts, strict=True))
    return tokens[rows.argsort()]


def _anchor_loss(model: Dismae, clips: Clips) -> float:
    """Return the mean contrastive loss of an anchor, with all anchors weighted alike."""
    torch.manual_seed(0)
    examples, terms = model.examples(clips), []
    head = model.reweight_classifier
    head.probability = lambda tokens, domains: torch.ones(len(domains))
    for epoch in range(ROUNDS):
        examples.begin_epoch(10**6 + epoch)
        batch = examples.batch(torch.tensor([0]))
        terms.append(model.terms(batch)["contrastive"] / len(batch.labels[:, 1].unique()))
    del head.probability
    return float(torch.stack(terms).mean()) / model.adaptive_weight


def _probe(tokens: Tensor, domains: Tensor, folds: Tensor) -> float:
    """Return the balanced accuracy of ridge regression to the domains, on recordings that it was not fitted to."""
    tokens = torch.cat([(tokens - tokens.mean(0)) / tokens.std(0).clamp_min(1e-6), torch.ones(len(tokens), 1)], 1)
    targets, guess = functional.one_hot(domains).double(), torch.empty_like(domains)
    tokens = tokens.double()
    for fold in range(FOLDS):
        known, new = tokens[folds != fold], folds == fold
        scale = known.T @ known + torch.eye(tokens.shape[1], dtype=torch.float64)
        guess[new] = (tokens[new] @ torch.linalg.solve(scale, known.T @ targets[folds != fold])).argmax(1)
    return _balanced(guess, domains)


def _balanced(guess: Tensor, domains: Tensor) -> float:
    return float(torch.stack([(guess[domains == one] == one).float().mean() for one in domains.unique()]).mean())


if __name__ == "__main__":
    main()
