"""The log of a training, and the line that each epoch prints."""

import logging
from pathlib import Path

import pytest

from asdlib.training.history import Epoch, duration, show, write_history


@pytest.mark.parametrize(
    ("seconds", "said"), [(9.6, "0m10s"), (190, "3m10s"), (3599.4, "59m59s"), (3599.6, "1h00m"), (7500, "2h05m")]
)
def test_a_time_is_told_to_the_second_or_to_the_minute(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_an_epoch_says_what_was_measured_and_how_long_the_rest_takes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    epochs = [
        Epoch(1, 0.5, None, 0.1, 80.0, 50.0),
        Epoch(2, 0.25, 0.75, 0.1, 99.6, 70.0, {"error": 0.25, "error_gradient": 1.0}, {"si_sdr": 3.14159}),
    ]
    show(epochs[:1], planned=3)
    show(epochs, planned=3)
    first, second, terms = caplog.messages
    assert first == "epoch 1/3  loss 0.5  80 clips/s  1m40s left"
    assert second == "epoch 2/3  loss 0.25  validation 0.75  si_sdr 3.142  100 clips/s  1m00s left"
    assert terms.startswith("epoch 2: error 0.25")


def test_the_log_has_a_row_an_epoch_and_the_terms_and_metrics_last(tmp_path: Path) -> None:
    path = tmp_path / "training.csv"
    write_history(path, [Epoch(n, 1 / n, None, 0.1, 5.0, 2.0, {"error": 1 / n}, {"si_sdr": n / 2}) for n in (1, 2)])
    assert path.read_bytes() == (
        b"epoch,loss,validation_loss,learning_rate,clips_per_second,seconds,error,si_sdr\n"
        b"1,1.0,,0.1,5.0,2.0,1.0,0.5\n"
        b"2,0.5,,0.1,5.0,2.0,0.5,1.0\n"
    )
    write_history(path, [])
    assert path.read_text() == "epoch,loss,validation_loss,learning_rate,clips_per_second,seconds\n"
