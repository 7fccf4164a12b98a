"""Benchmark of feature extraction, from WAV files to a stored log-mel, compared to librosa and to the arithmetic alone.

python benchmarks/bench_features.py [--clips 1200] [--folder benchmarks/output]
"""

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import librosa
import numpy as np
import torch
from measure import machine, run
from recordings import RATE, write_machine

from asdlib.workflow.job_file import as_json

PREPARE = {"sample_rate": RATE, "seconds": 10.0, "resample": False, "downmix": False, "allow_silent": False}
LOG_MEL = {"name": "logmel", "kind": "log_mel", "n_fft": 1024, "hop_length": 512, "n_mels": 128, "power": 2.0}
STEPS = Path(__file__).resolve().parents[1] / "workflow" / "scripts"


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=1200)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks/output"))
    options = parser.parse_args()
    recordings = write_machine(options.folder / f"features_{options.clips}", options.clips * 5 // 6, options.clips // 6)
    one = options.clips / _seconds_for(recordings, 1)
    two = 2 * options.clips / _seconds_for(recordings, 2)
    torch.set_num_threads(1)
    clip = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 10 * RATE)).astype(np.float32))
    floor = 1 / _seconds(lambda: _floor(clip))
    mel = 1 / _seconds(lambda: _librosa(clip[0].numpy()))
    print(machine())
    print(f"{'':52}clips/s")
    print(f"{'WAV to stored log-mel, one core, start-up left out':52}{one:8.0f}")
    print(f"{'the same, two machines at once on two cores':52}{two:8.0f}  ({two / one:.2f} times)")
    print(f"{'librosa.feature.melspectrogram alone':52}{mel:8.0f}")
    print(f"{'rfft and mel product alone (the floor)':52}{floor:8.0f}  ({one / floor:.0%} of it reached)")


def _seconds_for(recordings: Path, machines: int) -> float:
    """Return the wall time (s) of both steps for several machines in parallel, each on one core."""
    with ThreadPoolExecutor(machines) as pool:
        return max(pool.map(lambda core: _chain(recordings, core), range(machines)))


def _chain(recordings: Path, core: int) -> float:
    """Return the wall time (s) of one machine's two jobs on one core, less the time to start two such processes."""
    audio, features = (recordings.parent / f"{name}_{core}.parquet" for name in ("audio", "features"))
    settings = {**PREPARE, "sections": ["00"], "recordings": None, "strict": True}
    arguments = {"dataset": "bench", "machine": "machine", "recordings": recordings, "out": audio}
    prepare = _job("prepare", settings, arguments)
    extract = _job("extract_features", LOG_MEL, {"audio": audio, "out": features})
    start_up = sum(run([*command[:3], "--help"], core).wall for command in (prepare, extract))
    return sum(run(command, core).wall for command in (prepare, extract)) - start_up


def _job(step: str, settings: dict, arguments: dict) -> list[str]:
    """Write a job's file beside its output and return the command that runs the step with it."""
    path = arguments["out"].with_suffix(".json")
    path.write_text(as_json({"settings": settings, "code": "", "arguments": arguments}), encoding="utf-8")
    return [sys.executable, "-P", str(STEPS / f"{step}.py"), str(path)]


def _floor(clip: torch.Tensor) -> torch.Tensor:
    spectrum = torch.fft.rfft(clip.unfold(-1, 1024, 512))
    return torch.view_as_real(spectrum).square().sum(-1) @ FILTERS


def _librosa(clip: np.ndarray) -> np.ndarray:
    return librosa.feature.melspectrogram(y=clip, sr=RATE, n_fft=1024, hop_length=512, n_mels=128)


def _seconds(work: Callable[[], object], runs: int = 101) -> float:
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return sorted(times)[runs // 2]


FILTERS = torch.from_numpy(librosa.filters.mel(sr=RATE, n_fft=1024, n_mels=128).T.copy())

if __name__ == "__main__":
    main()
