"""The picture of `bench_scaling.py`: processor time and peak memory of every job over the number of clips."""

from pathlib import Path

import matplotlib

matplotlib.use("agg")

from matplotlib import pyplot as plt
from measure import Cost

Series = dict[int, dict[str, tuple[Cost, int]]]


def draw(clips: Series, machines: Series, out: Path) -> None:
    """Draw both series, of clips above and of machines below, over a logarithmic axis."""
    figure, panels = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    for row, (what, series) in zip(panels, {"clips of one machine": clips, "machines": machines}.items(), strict=True):
        for panel, (title, field) in zip(row, {"CPU s": "cpu", "peak MB": "peak_mb"}.items(), strict=True):
            for number, (job, points) in enumerate(_by_job(series).items()):
                style = ("-", "--", ":")[number // 10]
                panel.plot([size for size, _ in points], [getattr(cost, field) for _, cost in points],
                           style, marker=".", label=job)  # fmt: skip
            panel.set(xscale="log", xlabel=what, ylabel=title, ylim=(0, None))
            panel.grid(alpha=0.3)
        row[1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(out, dpi=90)
    plt.close(figure)


def _by_job(series: Series) -> dict[str, list[tuple[int, Cost]]]:
    """Return {job: (size, cost) of every size}; the fingerprints of recipes are left out of the names."""
    found: dict[str, list[tuple[int, Cost]]] = {}
    for size, jobs in sorted(series.items()):
        for job, (cost, _) in jobs.items():
            found.setdefault(job.rpartition("-")[0] or job, []).append((size, cost))
    return found
