"""The disaster-recovery drill in short: `make dr-drill` with fewer events."""

from pathlib import Path

import pytest

from tests.drill.scenario import run_drill


@pytest.mark.timeout(300)
def test_every_record_comes_back_after_the_table_and_the_database_are_lost(tmp_path: Path) -> None:
    assert run_drill(tmp_path / "data", 5_000, print) == []
