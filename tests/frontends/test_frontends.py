"""Every frontend of the registry: its output has the declared shape, and a clip does not depend on its batch.

The frontends have the default arguments; arguments without a default are those of the first recipe in config/systems.
"""

import librosa
import numpy as np
import pytest
import torch
from helpers.registry_toys import recipe_arguments, required

from asdlib.frontends import FRONTENDS
from asdlib.frontends.log_mel import LogMel

TOYS: dict[str, dict] = {}  # arguments by kind


def noise(clips: int = 3, samples: int = 16000) -> torch.Tensor:
    return torch.randn(clips, samples, generator=torch.Generator().manual_seed(1)) * 0.1


def transform(frontend, waveforms: torch.Tensor, samples: int | None = None) -> torch.Tensor:
    """Transform a batch of clips with the given number of real samples (default: all)."""
    if not getattr(frontend, "needs_samples", False):
        return frontend(waveforms)
    return frontend(waveforms, torch.full((len(waveforms),), samples or waveforms.shape[1]))


@pytest.fixture(params=sorted(FRONTENDS))
def frontend(request: pytest.FixtureRequest):
    kind, made = request.param, FRONTENDS[request.param]
    if kind in TOYS:
        return made(**TOYS[kind])
    found = recipe_arguments("frontends", kind, made, "tests/frontends/test_frontends.py")
    return made(**{name: found[name] for name in required(made)})


def test_the_shape_is_as_announced(frontend) -> None:
    assert transform(frontend, noise()).shape == (3, *frontend.shape(16000))
    assert frontend.frames(16000) == frontend.shape(16000)[0]


def test_a_clip_does_not_depend_on_its_batch(frontend) -> None:
    waveforms = noise()
    one, alone = transform(frontend, waveforms)[1], transform(frontend, waveforms[1:2])[0]
    torch.testing.assert_close(one, alone, rtol=0, atol=1e-4)


def test_the_real_frames_of_a_padded_clip_are_those_of_the_clip_alone(frontend) -> None:
    if frontend.shape(9000)[1:] != frontend.shape(16000)[1:]:
        pytest.skip("its frames are as long as the clip: see test_dual_spectra.py")
    waveforms = noise(1, 9000)
    alone = transform(frontend, waveforms)[0]
    padded = transform(frontend, torch.nn.functional.pad(waveforms, (0, 7000)), 9000)[0]
    torch.testing.assert_close(padded[: frontend.frames(9000)], alone, rtol=0, atol=1e-4)


def test_silence_is_finite(frontend) -> None:
    assert torch.isfinite(transform(frontend, torch.zeros(1, 16000))).all()


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("bands", [64, 128, 256])
def test_log_mel_is_librosas(power: float, bands: int) -> None:
    clip = noise(1)[0].numpy()
    mel = librosa.feature.melspectrogram(y=clip, sr=16000, n_fft=1024, hop_length=512, n_mels=bands, power=power)
    theirs = 20 / power * np.log10(np.maximum(mel, np.finfo(np.float64).eps))
    ours = LogMel(n_mels=bands, power=power)(torch.from_numpy(clip)[None])[0].numpy()
    assert np.abs(ours - theirs.T).max() <= 1e-4  # dB


def test_digital_silence_is_minus_156_5_db() -> None:
    assert LogMel()(torch.zeros(1, 4096)).unique().tolist() == pytest.approx([-156.5356], abs=1e-3)
