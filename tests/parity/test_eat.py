"""EAT against the authors' code: encoder, targets, decoder, both losses, their gradients, the EMA and the masks."""

import csv
import json
from pathlib import Path

import pytest
import torch
from helpers.golden import golden
from safetensors.torch import load_file, save_file

from asdlib.layers.encoders.eat import EatEncoder
from asdlib.models.eat import Eat, ema_decay
from asdlib.models.eat_block_masks import visible_blocks
from asdlib.weights.published.eat import read_eat

FOLDER = golden("eat_tiny")
BUILDER = json.loads((FOLDER / "config.json").read_text())["builder"]
IO = load_file(FOLDER / "io.safetensors")
PUBLISHED = load_file(FOLDER / "weights.safetensors")
EMA = (BUILDER["ema_decay"], BUILDER["ema_end_decay"], BUILDER["ema_anneal_end_step"])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay the fixture's weights out as fairseq does."""
    path = tmp_path_factory.mktemp("eat") / "EAT-tiny.pt"
    teacher = {name.removeprefix("_ema."): tensor for name, tensor in PUBLISHED.items() if name.startswith("_ema.")}
    student = {name: tensor for name, tensor in PUBLISHED.items() if not name.startswith("_ema.")}
    torch.save({"cfg": {}, "model": {**student, "_ema": teacher}}, path)
    return path


@pytest.fixture
def eat(published: Path) -> Eat:
    model = Eat(
        frames=BUILDER["target_length"],
        width=BUILDER["dim"],
        depth=BUILDER["depth"],
        heads=BUILDER["heads"],
        decoder_depth=BUILDER["dec_layers"],
        decoder_kernel=BUILDER["dec_kernel"],
        decoder_groups=BUILDER["dec_groups"],
        clones=BUILDER["clone"],
        ema_decay=EMA[0],
        ema_end_decay=EMA[1],
        ema_updates=EMA[2],
    )
    model.start_from_public(published)
    return model


def close(ours: torch.Tensor, name: str, atol: float) -> None:
    torch.testing.assert_close(ours, IO[name], rtol=0, atol=atol)


def test_the_encoder(eat: Eat) -> None:
    source = IO["source"].squeeze(1)
    encoder = eat.encoder.eval()
    with torch.no_grad():
        close(encoder.begin(encoder.patches(source)), "encoder_input", 1e-5)
        close(encoder(source), "features", 1e-5)
        outputs = encoder.mlp_outputs(source)
    for block in (0, 2):
        torch.testing.assert_close(outputs[block], IO[f"ffn_{block}"][:, 1:], rtol=0, atol=1e-5)


def test_the_encoder_on_another_length(published: Path) -> None:
    encoder = EatEncoder(BUILDER["max_length"], 8, BUILDER["dim"], BUILDER["depth"], BUILDER["heads"])
    encoder.load(read_eat(published), "checkpoint")
    with torch.no_grad():
        close(encoder(IO["source_len_320"].squeeze(1)), "features_len_320", 1e-5)


def test_a_training_step(eat: Eat) -> None:
    source, mask = IO["source"].squeeze(1), IO["mask"].bool()
    masks = len(mask)
    visible = (~mask).nonzero()[:, 1].view(masks, -1)
    tokens = eat.student(source, visible)
    close(tokens[:, 0], "cls_pred", 1e-5)
    order = torch.cat([torch.zeros(masks, 1, dtype=torch.int64), 1 + IO["ids_keep"].argsort(1)], dim=1)
    torch.testing.assert_close(tokens, IO["student_visible"].take_along_dim(order[:, :, None], 1), rtol=0, atol=1e-5)

    targets = eat.targets(source)
    close(targets, "targets", 2e-5)
    close(targets.mean(1), "cls_target", 2e-5)

    dense = torch.where(mask[:, :, None], IO["decoder_noise"], 0.0)
    dense[~mask] = tokens[:, 1:].reshape(-1, tokens.shape[2])
    close(eat.decoder(dense), "decoder_output", 1e-5)


def test_losses_and_gradients(eat: Eat) -> None:
    mask = IO["mask"].bool()
    visible = (~mask).nonzero()[:, 1].view(len(mask), -1)
    frame, utterance = eat.losses(IO["source"].squeeze(1), visible, IO["decoder_noise"])
    size = IO["sample_size"]
    assert size == mask.sum()
    torch.testing.assert_close(frame * size, IO["loss_regression_sum"], rtol=1e-5, atol=0)
    torch.testing.assert_close(utterance * size, IO["loss_cls_sum"], rtol=1e-5, atol=0)
    torch.testing.assert_close(frame + utterance, IO["loss_total"], rtol=1e-5, atol=0)
    (frame + utterance).backward()
    ours = {name: parameter.grad for name, parameter in eat.named_parameters() if parameter.requires_grad}
    compared = 0
    for name, theirs in IO.items():
        if name.startswith("grad."):
            gradient = ours[_ours(name.removeprefix("grad."))]
            assert (gradient - theirs).abs().max() <= 1e-4 * theirs.abs().max(), name
            compared += 1
    assert compared == 7


def test_one_step_of_the_teacher(eat: Eat) -> None:
    eat.after_step(0, 100)
    teacher = eat.teacher.state_dict()
    compared = 0
    for name, theirs in IO.items():
        if name.startswith("ema_after."):
            ours = _ours(name.removeprefix("ema_after.")).removeprefix("encoder.")
            torch.testing.assert_close(teacher[ours], theirs, rtol=0, atol=1e-6)
            compared += 1
    assert compared == 5


def test_the_teacher_s_schedule() -> None:
    end = EMA[2]
    updates = [0, 1, 10, end // 2, end - 1, end, end + 5]
    ours = torch.tensor([ema_decay(update, *EMA) for update in updates], dtype=torch.float64)
    close(ours, "ema_decay_schedule", 1e-12)


def test_our_positions_are_the_published_ones_to_their_rounding() -> None:
    ours = EatEncoder(BUILDER["max_length"], 8, BUILDER["dim"], 1, BUILDER["heads"]).positions
    theirs = PUBLISHED["modality_encoders.IMAGE.fixed_positional_encoder.positions"]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)


# --- every key of the published checkpoints ---------------------------------------------------------------------------


def published_keys(name: str) -> dict[str, tuple[int, ...]]:
    with (golden("keys") / name).open() as handle:
        return {row["name"]: tuple(map(int, row["shape"].split("x"))) for row in csv.DictReader(handle)}


@pytest.fixture(scope="module")
def base() -> dict[str, tuple[int, ...]]:
    """Names and shapes of EAT-base as this library builds it; the positions as long as the published table."""
    with torch.device("meta"):
        model = Eat()
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    return {name: (1, 6144, 768) if name.endswith(".positions") else shape for name, shape in shapes.items()}


def tensors(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Make tensors of those shapes that take up no room, in memory or in a file."""
    return {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}


def test_every_key_of_the_fairseq_file_is_ours(tmp_path: Path, base: dict[str, tuple[int, ...]]) -> None:
    keys = published_keys("eat_base.csv")
    teacher = {name.removeprefix("_ema."): shape for name, shape in keys.items() if name.startswith("_ema.")}
    student = {name: shape for name, shape in keys.items() if not name.startswith("_ema.")}
    torch.save({"model": {**tensors(student), "_ema": tensors(teacher)}}, tmp_path / "base.pt")
    read = read_eat(tmp_path / "base.pt")
    assert len(read) == len(keys) == 314
    assert {name: tuple(tensor.shape) for name, tensor in read.items()} == base


def test_every_key_of_the_hub_s_file_is_ours(tmp_path: Path, base: dict[str, tuple[int, ...]]) -> None:
    keys = published_keys("eat_base_hf.csv")
    torch.save(tensors(keys), tmp_path / "hub.pt")
    read = read_eat(tmp_path / "hub.pt")
    encoder = {name: shape for name, shape in base.items() if name.startswith("encoder.")}
    assert len(read) == len(keys) == 150
    assert {name: tuple(tensor.shape) for name, tensor in read.items()} == encoder


def test_the_hub_s_layout_gives_the_same_encoder(tmp_path: Path, eat: Eat, published: Path) -> None:
    names = {"encoder.pre_norm": "model.pre_norm", "encoder.positions": "model.fixed_positional_encoder.positions"}
    hub, weights = {}, read_eat(published)
    for name, tensor in weights.items():
        if name.startswith("encoder."):
            theirs = next((new for old, new in names.items() if name.startswith(old)), None)
            start = next((old for old in names if name.startswith(old)), "encoder.")
            hub[(theirs or "model.") + name.removeprefix(start)] = tensor.contiguous()
    save_file(hub, tmp_path / "model.safetensors")
    read = read_eat(tmp_path / "model.safetensors")
    assert read.keys() == {name for name in weights if name.startswith("encoder.")}
    other = Eat(256, 128, 64, 3, 4, decoder_depth=3)
    other.start_from_public(tmp_path / "model.safetensors")
    for name, tensor in other.encoder.state_dict().items():
        assert torch.equal(tensor, eat.encoder.state_dict()[name]), name
        assert torch.equal(tensor, other.teacher.state_dict()[name]), name  # no teacher there: it starts as the student


# --- masks ------------------------------------------------------------------------------------------------------------


def test_masks_have_the_statistics_of_the_reference() -> None:
    theirs = json.loads((golden("eat_mask") / "config.json").read_text())["statistics_of_4096_masks"]
    torch.manual_seed(0)
    indices = visible_blocks(4096, 64, 8, 0.8)
    visible = torch.zeros(4096, 512, dtype=torch.bool).scatter_(1, indices, True).view(-1, 64, 8)
    assert visible.sum((1, 2)).unique().tolist() == theirs["visible_per_mask"]
    ours = statistics(visible)
    assert ours["pairs"] == pytest.approx(theirs["adjacent_visible_pairs_mean"], rel=0.02)
    assert ours["pairs_std"] == pytest.approx(theirs["adjacent_visible_pairs_std"], rel=0.05)
    assert ours["rows"] == pytest.approx(theirs["rows_with_any_visible_mean"], rel=0.02)
    assert ours["columns"] == pytest.approx(theirs["visible_fraction_per_column"], rel=0.02)
    assert ours["isolated"] == pytest.approx(theirs["isolated_visible_fraction"], rel=0.1)


def test_the_statistics_are_those_that_describe_the_reference_s_own_masks() -> None:
    folder = golden("eat_mask")
    theirs = json.loads((folder / "config.json").read_text())["statistics_of_this_file"]
    ours = statistics(load_file(folder / "io.safetensors")["mask"].view(-1, 64, 8) == 0)
    assert ours["pairs"] == pytest.approx(theirs["adjacent_visible_pairs_mean"], abs=1e-3)
    assert ours["isolated"] == pytest.approx(theirs["isolated_visible_fraction"], abs=1e-4)


def statistics(visible: torch.Tensor) -> dict:
    """Return what describes masks (N, 64, 8) whose visible patches are True."""
    padded = torch.nn.functional.pad(visible, (1, 1, 1, 1))
    pairs = (visible[:, 1:] & visible[:, :-1]).sum((1, 2)) + (visible[:, :, 1:] & visible[:, :, :-1]).sum((1, 2))
    neighbours = padded[:, 2:, 1:-1] | padded[:, :-2, 1:-1] | padded[:, 1:-1, 2:] | padded[:, 1:-1, :-2]
    return {
        "pairs": pairs.float().mean().item(),
        "pairs_std": pairs.float().std().item(),
        "rows": visible.any(2).sum(1).float().mean().item(),
        "columns": visible.float().mean((0, 1)).tolist(),
        "isolated": ((visible & ~neighbours).sum() / visible.sum()).item(),
    }


def _ours(name: str) -> str:
    name = name.removeprefix("modality_encoders.IMAGE.").replace("context_encoder.norm", "pre_norm")
    return name if name.startswith("decoder.") else f"encoder.{name}"
