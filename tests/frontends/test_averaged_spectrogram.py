"""The spectrogram that is averaged over windows."""

import torch

from asdlib.frontends.averaged_spectrogram import AveragedSpectrogram

NOISE = 0.1 * torch.randn(1, 16000, generator=torch.Generator().manual_seed(0))


def test_ten_seconds_have_31_windows_of_512_bins() -> None:
    assert AveragedSpectrogram().shape(160000) == (31, 512)
    assert AveragedSpectrogram().frames(161280) == 31  # 316 frames
    assert AveragedSpectrogram().frames(1000) == 1


def test_a_window_is_the_mean_magnitude_of_its_frames() -> None:
    frames = torch.stft(
        NOISE, 1024, 512, window=torch.hann_window(1024), center=True, pad_mode="constant", return_complex=True
    )
    expected = frames.abs()[0, :512, 10:20].mean(1)
    ours = AveragedSpectrogram()(NOISE)[0, 1]
    torch.testing.assert_close(ours.exp() - 1e-5, expected, rtol=1e-4, atol=1e-4)


def test_averaging_commutes_with_a_gain() -> None:
    frontend = AveragedSpectrogram()
    quiet, loud = frontend(NOISE), frontend(3 * NOISE)
    torch.testing.assert_close(loud.exp() - 1e-5, 3 * (quiet.exp() - 1e-5), rtol=1e-3, atol=1e-5)


def test_a_click_fades() -> None:
    """One loud frame among ten raises the average of a window by less than it raises the frame itself."""
    click = NOISE.clone()
    click[0, 7000:7050] += 1.0
    change = {average: (AveragedSpectrogram(average=average)(click) - AveragedSpectrogram(average=average)(NOISE)).max()
              for average in (1, 10)}  # fmt: skip
    assert change[10] < 0.7 * change[1]


def test_silence_is_the_floor() -> None:
    assert AveragedSpectrogram()(torch.zeros(1, 16000)).unique().item() == torch.tensor(1e-5).log().item()
