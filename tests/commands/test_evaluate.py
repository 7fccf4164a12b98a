"""`asdlib evaluate --clips`: the interval of clips that are pieces of recordings."""

from pathlib import Path

import numpy as np
import pytest

from asdlib.cli import main
from asdlib.data.tables import clip_rows, writing
from asdlib.scoring.score_files import write_decisions, write_scores


@pytest.mark.parametrize("longer", ["split", "cut"])
def test_pieces_of_recordings_have_no_interval_over_clips(tmp_path: Path, capsys, longer: str) -> None:
    rows = [
        {
            "clip": f"{label}{number}@00010.000", "section": "00", "domain": "source", "split": "test", "label": label,
            "attributes": {}, "kind": "test", "samples": 1, "recorded_samples": 1, "frames": None,
            "source_file": f"fan/test/{label}{number}@00010.000.wav",
        }
        for label in ("normal", "anomaly") for number in range(6)
    ]  # fmt: skip
    with writing(tmp_path / "clips/fan.parquet", {"longer": longer}, audio=("int16", (1,))) as table:
        table.write(clip_rows(rows), audio=np.zeros((len(rows), 1), np.int16))
    names = [row["source_file"].rpartition("/")[2] for row in rows]
    write_scores(tmp_path / "scored", "fan", "00", [(name, number % 5) for number, name in enumerate(names)])
    write_decisions(tmp_path / "scored", "fan", "00", [(name, number % 2) for number, name in enumerate(names)])
    assert main(["evaluate", "--scores", str(tmp_path / "scored"), "--clips", str(tmp_path / "clips")]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert ("± " in last) == (longer == "cut"), last
    assert ("(no interval: clips are pieces of recordings; scores.csv has " in last) == (longer == "split"), last
