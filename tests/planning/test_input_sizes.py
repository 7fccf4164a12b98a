"""The size of a job's input, which its memory rests on."""

from pathlib import Path

import pytest
from snakemake.exceptions import is_file_not_found_error

from asdlib.planning.memory import megabytes

RULES = Path(__file__).resolve().parents[2] / "workflow" / "rules"


def test_the_size_of_an_input_is_known_once_it_is_there(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("a", "b")]
    Path(files[0]).write_bytes(bytes(1_400_000))
    with pytest.raises(FileNotFoundError) as error:
        megabytes(files)
    assert is_file_not_found_error(error.value, files)  # Snakemake then asks again before the job
    Path(files[1]).write_bytes(bytes(1_400_000))
    assert megabytes(files) == 3


def test_no_rule_asks_snakemake_for_a_size() -> None:
    """Its `size_mb` makes a coroutine that is never awaited, of which Python warns in every run."""
    assert not [path.name for path in RULES.glob("*.smk") if "size_mb" in path.read_text()]
