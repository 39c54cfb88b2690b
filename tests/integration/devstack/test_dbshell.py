"""A shell of the running embedded PostgreSQL, which no program needs to be installed for."""

import os
import subprocess
import sys

import pytest

from config.env import BASE_DIR


@pytest.mark.parametrize("database", ["default", "read"])
def test_dbshell_finds_the_running_store_and_a_psql(database: str) -> None:
    command = [sys.executable, "manage.py", "dbshell", "--database", database, "--"]
    done = subprocess.run(
        [
            *command,
            "--no-psqlrc",
            "-Atc",
            "SELECT current_database(), current_setting('server_version_num')::int / 10000",
        ],
        cwd=BASE_DIR,
        env={**os.environ, "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.returncode) == ("floodgate|18\n", 0), done.stderr
