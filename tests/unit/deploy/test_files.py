"""The Caddyfile, the Dockerfiles and the scripts, judged by the programs that read them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent


def _run(*command: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env={"HOME": str(home)}, capture_output=True, text=True, timeout=20)


def test_caddyfile_is_valid(tmp_path: Path) -> None:
    done = _run(
        BIN / "caddy", "validate", "--adapter", "caddyfile", "--config", ROOT / "deploy/caddy/Caddyfile", home=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "not formatted" not in done.stderr


@pytest.mark.parametrize("path", ["deploy/Dockerfile", "deploy/caddy/Dockerfile"])
def test_dockerfile_has_no_findings(path: str, tmp_path: Path) -> None:
    done = _run(BIN / "hadolint", ROOT / path, home=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


def test_scripts_have_no_findings(tmp_path: Path) -> None:
    files = [path for path in sorted((ROOT / "deploy").rglob("*")) if path.is_file() and _is_script(path)]
    named = {path.name for path in files}
    assert {"entrypoint.sh", "init", "lib.sh", "upgrade", "backup", "restore", "rewind", "roles.sh"} <= named
    done = _run(BIN / "shellcheck", "--external-sources", "--source-path=SCRIPTDIR", *files, home=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


def _is_script(path: Path) -> bool:
    return path.suffix == ".sh" or path.read_bytes().startswith(b"#!")
