"""deploy/init, run in a folder of its own."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def _init(folder: Path) -> dict[str, str]:
    subprocess.run([folder / "deploy/init"], cwd=folder, check=True, capture_output=True, timeout=30)
    return {file.name: file.read_text() for file in (folder / "secrets").iterdir()}


def test_what_is_there_stays_and_what_is_missing_is_made(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    shutil.copy(ROOT / ".env.example", tmp_path)
    first = _init(tmp_path)
    (tmp_path / ".env").write_text("SITE_ADDRESS=shop.example\n")
    assert _init(tmp_path) == first
    assert (tmp_path / ".env").read_text() == "SITE_ADDRESS=shop.example\n"
    (tmp_path / "secrets/secret_key").unlink()
    second = _init(tmp_path)
    assert {name for name in first if first[name] != second[name]} == {"secret_key"}
    assert len(set(second.values())) >= len(second) - 1  # none is another's; the address for alerts is empty
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
