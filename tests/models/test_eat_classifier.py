"""Fine-tuned EAT: its classes, its initial weights, and that it learns to classify conditions."""

from pathlib import Path

import pyarrow as pa
import pytest
import torch
from helpers.eat_files import save_fairseq
from helpers.refusals import refused

from asdlib.data.tables import clip_rows
from asdlib.examples.clips import Clips
from asdlib.models.eat import Eat
from asdlib.models.eat_classifier import EatClassifier
from asdlib.weights.checkpoints import Checkpoint

SIZES = {"frames": 64, "bands": 32, "width": 16, "depth": 2, "heads": 2}


def clips(count: int = 12) -> Clips:
    """Return fans at two speeds and valves without attributes; each class is loud in a band of its own."""
    rows = []
    for number in range(count):
        attributes = {"spd": str(number % 2)} if number % 3 else {}
        rows.append({"clip": str(number), "domain": "source", "attributes": attributes, "kind": "train", "frames": 64})
    machines = ["fan" if number % 3 else "valve" for number in range(count)]
    table = clip_rows(rows).append_column("machine", pa.array(machines))
    features = 0.1 * torch.randn(count, 64, 32, generator=torch.Generator().manual_seed(1))
    for number in range(count):
        band = 8 * (number % 2) if number % 3 else 20
        features[number, :, band : band + 4] += 1.0
    return Clips(table, features)


def classifier(training: Clips, **arguments) -> EatClassifier:
    torch.manual_seed(0)
    model = EatClassifier(**SIZES, attention=4, dimensions=8, **arguments)
    model.grow(model.survey(training))
    return model


def test_classes_are_machine_type_domain_and_attributes() -> None:
    model = classifier(clips())
    assert model.classes == ["fan, source, spd=0", "fan, source, spd=1", "valve, source"]
    batch = model.examples(clips()).batch(torch.tensor([0, 1, 2]))
    assert batch.labels.tolist() == [2, 1, 0]


def test_one_class_alone_is_refused() -> None:
    every = clips()
    valves = Clips(every.table.take([0, 3, 6]), every.features[[0, 3, 6]])
    refused(
        lambda: classifier(valves),
        r"model eat_classifier: all training clips are of one class \(valve, source\): add .*",
    )


def test_another_size_of_spectrogram_is_refused() -> None:
    expected = "model: spectrograms are 64 × 32, not 64 × 48: set rows and n_mels of the frontend"
    model = EatClassifier(**{**SIZES, "bands": 48})
    model.grow(model.survey(clips()))
    refused(lambda: model.examples(clips()), expected)
    refused(lambda: EatClassifier.refuse(clips(), frames=64, bands=48), expected)
    EatClassifier.refuse(clips(), frames=64, bands=32)


def test_two_classes_are_enough() -> None:
    every = clips()
    fans = [1, 2, 4, 5]
    assert classifier(Clips(every.table.take(fans), every.features[fans])).classes == [
        "fan, source, spd=0",
        "fan, source, spd=1",
    ]


def test_it_learns_to_tell_the_classes_apart() -> None:
    training = clips()
    model = classifier(training, drop_path=0.1)
    batch = model.examples(training).batch(torch.arange(12))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    before = model.eval().loss(batch).item()
    model.train()
    for _ in range(40):
        loss = model.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    assert model.loss(batch) < before / 4
    assert model.metrics(batch)["accuracy"] == 1.0


@pytest.mark.parametrize(("depth", "expected"), [(1, [0.0]), (2, [0.0, 0.2]), (5, [0.0, 0.05, 0.1, 0.15, 0.2])])
def test_deeper_blocks_are_dropped_more_often(depth: int, expected: list[float]) -> None:
    encoder = EatClassifier(**{**SIZES, "depth": depth}, drop_path=0.2).encoder
    assert [block.drop_path for block in encoder.blocks] == pytest.approx(expected)


def test_all_patches_are_pooled_and_the_utterance_token_is_not() -> None:
    """With equal attention, the pooled vector is the mean and the deviation of the 4 · 2 patches."""
    model = classifier(clips()).eval()
    torch.nn.init.zeros_(model.pooling.score[2].weight)
    features = clips().features[:3]
    seen = []
    model.norm.register_forward_pre_hook(lambda _, given: seen.extend(given))
    with torch.no_grad():
        model(features)
        _, patches = model.encoder(features).split([1, 8], dim=1)
    torch.testing.assert_close(seen[0], torch.cat([patches.mean(1), patches.std(1, correction=0)], dim=1))


def pretrained() -> Eat:
    torch.manual_seed(7)
    model = Eat(**SIZES, decoder_depth=1, decoder_groups=4).half().float()  # published students are in half precision
    torch.nn.init.ones_(model.teacher.extra_tokens)
    return model


@pytest.mark.parametrize("how", ["public", "init"])
def test_it_starts_from_the_student(tmp_path: Path, how: str) -> None:
    weights = pretrained().state_dict()
    model = classifier(clips())
    start(model, weights, how, tmp_path)
    for name, tensor in model.encoder.state_dict().items():
        assert torch.equal(tensor, weights[f"encoder.{name}"]), name


@pytest.mark.parametrize("how", ["public", "init"])
def test_a_missing_key_of_the_encoder_is_refused(tmp_path: Path, how: str) -> None:
    weights = pretrained().state_dict()
    del weights["encoder.blocks.1.norm1.bias"]
    complaint = rf".*{'eat.pt' if how == 'public' else 'init'}: encoder.blocks.1.norm1.bias is missing: .*"
    refused(lambda: start(classifier(clips()), weights, how, tmp_path), complaint)


def start(model: EatClassifier, weights: dict[str, torch.Tensor], how: str, folder: Path) -> None:
    if how == "public":
        model.start_from_public(save_fairseq(folder / "eat.pt", weights))
    else:
        model.start_from(Checkpoint({}, weights))
