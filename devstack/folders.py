"""DATA_DIR and the folders in it. Folders made here are 0700; the mode of a folder that was there is never changed."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.errors import DevstackError

MIN_FREE_BYTES = 100 * 2**20  # a new cluster takes 39 MB and its first WAL segments 32 MB


@contextmanager
def locked_data_dir(data_dir: Path) -> Iterator[None]:
    """Create ``data_dir``, hold it for one stack, and check that it can be written.

    Raises: DevstackError: another stack holds it, it cannot be written, or its disk is full.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as exc:
        raise DevstackError(f"DATA_DIR {data_dir} cannot be used: {exc.strerror}") from exc
    try:
        _lock(folder, data_dir)
        _check_space(data_dir)
        yield
    finally:
        os.close(folder)


def own_folder(path: Path, owner: int) -> Path:
    """Create ``path`` for the user id ``owner`` alone, or check that it already is that user's."""
    if not path.is_symlink() and not path.exists():
        path.mkdir(mode=0o700)
        if owner != os.geteuid():
            os.chown(path, owner, -1)
    elif path.is_symlink() or not path.is_dir() or path.stat().st_uid != owner:
        raise DevstackError(f"{path} belongs to another user or is not a folder; start as its owner or set DATA_DIR")
    return path


def _lock(folder: int, data_dir: Path) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise DevstackError(f"Another devstack already runs on {data_dir}; stop it or set DATA_DIR") from exc


def _check_space(data_dir: Path) -> None:
    free = shutil.disk_usage(data_dir).free
    if not os.access(data_dir, os.W_OK):
        raise DevstackError(f"DATA_DIR {data_dir} cannot be used: {os.strerror(errno.EACCES)}")
    if free < MIN_FREE_BYTES:
        raise DevstackError(
            f"The disk of DATA_DIR {data_dir} is full: {free >> 20} MiB free, {MIN_FREE_BYTES >> 20} MiB needed"
        )
