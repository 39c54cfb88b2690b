import os
from pathlib import Path

import pytest

from config.env import socket_dir
from devstack.changes import Changes
from devstack.errors import DevstackError
from devstack.folders import locked_data_dir, own_folder
from devstack.wheels import postgres_bin


def test_new_data_dir_is_closed_to_others(tmp_path: Path) -> None:
    with locked_data_dir(tmp_path / "new" / "data"):
        assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700


def test_mode_of_a_data_dir_that_was_there_stays(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with locked_data_dir(tmp_path):
        assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_data_dir_is_held_by_one_stack_until_it_ends(tmp_path: Path) -> None:
    with locked_data_dir(tmp_path), pytest.raises(DevstackError, match="Another devstack"), locked_data_dir(tmp_path):
        pass
    with locked_data_dir(tmp_path):
        pass


def test_file_in_the_way_of_data_dir_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(DevstackError, match="data cannot be used"), locked_data_dir(tmp_path / "data"):
        pass


def test_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.folders.MIN_FREE_BYTES", 2**62)
    with pytest.raises(DevstackError, match="is full"), locked_data_dir(tmp_path):
        pass


def test_symlink_in_place_of_our_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(tmp_path)
    with pytest.raises(DevstackError, match="belongs to another user or is not a folder"):
        own_folder(tmp_path / "run", os.geteuid())


def test_path_too_long_for_a_socket_gets_a_short_stand_in() -> None:
    deep = Path("/" + "d" * 120)
    assert len(str(socket_dir(deep))) < 60
    assert socket_dir(deep) != socket_dir(Path("/" + "d" * 121))


def test_missing_wheel_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.wheels.find_spec", lambda _: None)
    with pytest.raises(DevstackError, match="make run"):
        postgres_bin()


def test_changes_are_found_once_and_hidden_folders_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.changes.POLL_SECONDS", 0.0)
    for name in ("app", ".venv"):
        (tmp_path / name).mkdir()
    changes = Changes(tmp_path)
    (tmp_path / ".venv" / "lib.py").write_text("")
    assert not changes.found()
    (tmp_path / "app" / "views.py").write_text("")
    assert changes.found()
    assert not changes.found()
