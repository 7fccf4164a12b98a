"""Training histories and their curves."""

from pathlib import Path

import pytest

from asdlib.errors import AsdError
from asdlib.report import curves
from asdlib.report.curves import figures_of, read_history, training_curves
from asdlib.training.optimisation import best_epoch


def test_a_history_without_epochs_or_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,loss,si_sdr_improvement\n")
    assert read_history(tmp_path / "metrics.csv") is None
    assert read_history(tmp_path / "gone.csv") is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", r"is damaged \(it is empty\)"),
        ("\0" * 40, r"is damaged \(it contains zero bytes\)"),
        ("epoch,loss,validation_loss\n1,3.0,\n2,2", r"is damaged \(its last line is cut off\)"),
        ("epoch,loss,validation_loss\n1,3.0,\n2,2\n", r"is not the log of a training \(.*\)"),
        ("epoch,loss,validation_loss\n1,3.0,\n2,2,,7\n", r"is not the log of a training \(.*\)"),
        ("epoch,loss\n1,3.0,7\n", r"is not the log of a training \(.*\)"),
        ("epoch,loss\n1,3.0\n3,2.0\n", r"is not the log of a training \(the epochs are not numbered\)"),
        ("epoch,loss\n1,many\n", r"is not the log of a training \(could not convert .*\)"),
        ("loss\n1\n", r"is not the log of a training \('epoch'\)"),
    ],
)
def test_a_damaged_history_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(AsdError, match=rf"^[^\n]*metrics\.csv: {complaint}: delete [^\n]* and run again$"):
        read_history(tmp_path / "metrics.csv")


def test_curves_say_the_last_epoch(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,loss,validation_loss,si_sdr_improvement\n1,3.0,,0.5\n2,2.5,,1.25\n")
    history = read_history(tmp_path / "metrics.csv")
    assert history["validation_loss"] == [None, None]
    alt = training_curves("toy-123456", {"here/fan": history}, early_stop=False)["alt"]
    assert alt == "Training of toy-123456. here/fan, epoch 2 of 2: loss 2.5, SI-SDR improvement 1.25."


def test_a_loss_of_nothing_is_a_loss() -> None:
    history = {"epoch": [1.0], "loss": [0.0], "validation_loss": [None]}
    assert (
        training_curves("toy", {"fan": history}, early_stop=False)["alt"]
        == "Training of toy. fan, epoch 1 of 1: loss 0."
    )


WATCHED = {"epoch": [1.0, 2.0, 3.0, 4.0], "loss": [4.0, 3.0, 2.0, 1.0], "validation_loss": [5.0, 2.0, 2.0, 9.0]}


def test_a_training_that_stops_early_shows_the_epoch_that_it_kept() -> None:
    row = figures_of(WATCHED, early_stop=True)
    assert (row["epoch"], row["epochs"], row["loss"]) == (2, 4, 3.0)
    assert row["epoch"] - 1 == best_epoch(WATCHED["validation_loss"])  # the rule of the trainer
    assert figures_of(WATCHED, early_stop=False)["loss"] == 1.0
    assert "epoch 2 of 4: loss 3, validation loss 2." in training_curves("toy", {"fan": WATCHED}, True)["alt"]


def test_no_two_lines_differ_by_colour_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are as many machines as in the sets of two years; only the last one has the second panel."""
    monkeypatch.setattr(curves, "picture", lambda figure, alt: figure)
    histories = {f"here/{number}": WATCHED for number in range(14)}
    histories["here/last"] = WATCHED | {"si_sdr_improvement": [None, 2.0, 3.0, 4.0]}
    figure = training_curves("toy", histories, early_stop=False)
    looks = [(line.get_marker(), line.get_linestyle(), line.get_markerfacecolor() == "none")
             for line in figure.axes[0].get_lines()]  # fmt: skip
    assert len(looks) == len(set(looks)) == 2 * 15
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == list(histories)
    (improvement,) = figure.axes[1].get_lines()
    assert improvement.get_xydata().tolist() == [[2, 2], [3, 3], [4, 4]], "where it was measured"
    losses, validation = (line.get_ydata().tolist() for line in figure.axes[0].get_lines()[:2])
    assert (losses, validation) == (WATCHED["loss"], WATCHED["validation_loss"])
    assert [axes.get_title() for axes in figure.axes] == ["loss", "SI-SDR improvement in dB"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch", "epoch"]
    assert all(tick == round(tick) for axes in figure.axes for tick in axes.get_xticks()), "there are no half epochs"


def test_a_long_legend_takes_no_room_from_the_panels(monkeypatch: pytest.MonkeyPatch) -> None:
    def height(labels: int) -> float:
        figure = training_curves("toy", {f"here/{number}": WATCHED for number in range(labels)}, early_stop=False)
        figure.draw_without_rendering()  # lays it out
        return figure.axes[0].get_position().height * figure.get_figheight()

    monkeypatch.setattr(curves, "picture", lambda figure, alt: figure)
    assert height(labels=15) == pytest.approx(height(labels=2), rel=0.1)


def test_a_line_of_many_epochs_has_few_marks_and_each_line_has_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "picture", lambda figure, alt: figure)
    column = [float(epoch) for epoch in range(1, 101)]
    history = {"epoch": column, "loss": column, "validation_loss": [None] * 100, "si_sdr_improvement": [None] * 100}
    (axes,) = training_curves("toy", {"fan": history, "pump": history}, early_stop=False).axes
    marked = [set(range(100)[start::step]) for start, step in (line.get_markevery() for line in axes.get_lines())]
    assert all(8 <= len(epochs) <= 12 for epochs in marked)
    assert not marked[0] & marked[1]
