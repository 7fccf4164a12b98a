"""Histories of trainings."""

from pathlib import Path

from asdlib.report.curves import read_history, training_curves


def test_a_history_without_epochs_or_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,loss,si_sdr_improvement\n")
    assert read_history(tmp_path / "metrics.csv") is None
    assert read_history(tmp_path / "gone.csv") is None


def test_curves_say_the_last_epoch(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,loss,validation_loss,si_sdr_improvement\n1,3.0,,0.5\n2,2.5,,1.25\n")
    history = read_history(tmp_path / "metrics.csv")
    assert history["validation_loss"] == [None, None]
    alt = training_curves("toy-123456", {"here/fan": history})["alt"]
    assert alt == "Training of toy-123456. here/fan, 2 epochs: loss 2.5, SI-SDR improvement 1.25."
