"""Benchmark of Kaldi's filter bank: ours, for batches, and torchaudio's, for single clips.

    python benchmarks/bench_fbank.py [--clips 64] [--batch 32] [--threads 1]

The clips, of 10 s, are in memory. torchaudio's function is the one that the code of the public networks calls. If
torchaudio cannot be imported, such as a CUDA build beside a CPU build of torch, its rows are left out.
"""

import argparse
from collections.abc import Callable
from functools import partial

import torch
from measure import machine
from own_process import busy, processor, timed
from torch import Tensor

from asdlib.frontends.fbank import Fbank
from asdlib.runtime.devices import choose_device

RATE, SECONDS = 16000, 10
OURS = {
    "EAT, AudioMAE": {"window": "hanning"},
    "BEATs": {"window": "povey", "scale": 32768.0, "remove_mean": False},
}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=["auto", "cpu"], default="auto")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = choose_device(options.device, gpus=1)
    print(f"{machine()}, torch {torch.__version__}, {processor(device, options.threads)}; clips/s")
    waveforms = 0.1 * torch.randn(options.clips, RATE * SECONDS).to(device)
    for name, settings in OURS.items():
        fbank = Fbank(**settings, mean=0.0, std=0.5)
        _show(f"{name}: ours, batches of {options.batch}", fbank, waveforms, options.batch)
        _show_torchaudio(name, fbank, waveforms)


def _show_torchaudio(name: str, ours: Fbank, waveforms: Tensor) -> None:
    try:
        from torchaudio.compliance import kaldi
    except (ImportError, OSError) as error:
        print(f"{name}: torchaudio cannot be imported here ({' '.join(str(error).split())[:100]})")
        return
    window = "povey" if ours.scale > 1 else "hanning"
    theirs = partial(_kaldi, partial(kaldi.fbank, window_type=window, num_mel_bins=128, sample_frequency=RATE), ours)
    _show(f"{name}: torchaudio", theirs, waveforms, 1)
    print(f"{'':40}{(theirs(waveforms[:1]) - ours(waveforms[:1])).abs().max():10.1e} largest difference")


def _kaldi(fbank: Callable[..., Tensor], ours: Fbank, waveforms: Tensor) -> Tensor:
    """Return torchaudio's filter bank of one clip (1, samples), called as in the networks' code."""
    centred = waveforms - waveforms.mean() if ours.remove_mean else waveforms * ours.scale
    return fbank(centred)[None]


def _show(what: str, transform: Callable[[Tensor], Tensor], waveforms: Tensor, batch: int) -> None:
    transform(waveforms[:batch])
    wall, cpu = timed(lambda: [transform(part) for part in waveforms.split(batch)])
    print(f"{what:40}{len(waveforms) / busy(waveforms.device, wall, cpu):10.1f}", flush=True)


if __name__ == "__main__":
    main()
