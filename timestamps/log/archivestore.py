"""Where segments and manifests are kept: a local folder, or any address that fsspec has a driver for.

What is written is on disk when a call returns. A local file comes into its folder whole or not at all, and both are
synced; a driver of an object store does the same by itself. Credentials and time limits of a driver are read by fsspec
from its own variables, such as FSSPEC_S3_ENDPOINT_URL.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from common.stores.leases import patience
from timestamps.errors import ArchiveUnavailable

ANSWER_SECONDS = 120  # of a whole segment, to or from a store that is far away; shorter leases would end meanwhile
_UNFINISHED = ".part-"


class ArchiveStore:
    """Files by name. Every call raises ArchiveUnavailable when the store does not answer or refuses."""

    def __init__(self, url: str) -> None:
        with _translated():
            self._files, root = fsspec.core.url_to_fs(url)
        self._root = root.rstrip("/")
        self._is_local = isinstance(self._files, LocalFileSystem)

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError."""
        with _translated():
            return cast(bytes, self._files.cat_file(self._path(name)))

    def write(self, name: str, content: bytes) -> None:
        """Whatever was there before."""
        with _translated():
            if self._is_local:
                self._write_local(name, content, os.replace)
            else:
                self._files.pipe_file(self._path(name), content)

    def write_once(self, name: str, content: bytes) -> None:
        """Raises FileExistsError: it is there, and stays as it is."""
        with _translated():
            if self._is_local:
                self._write_local(name, content, os.link)
            else:
                self._files.pipe_file(self._path(name), content, mode="create")

    def names(self) -> list[str]:
        """Of all finished files."""
        return [name for name in self._all_names() if not name.startswith(_UNFINISHED)]

    def delete(self, name: str) -> None:
        with _translated():
            self._files.rm_file(self._path(name))

    def delete_unfinished(self) -> None:
        """What killed writers left. Only for the one writer that there is."""
        for name in self._all_names():
            if name.startswith(_UNFINISHED):
                self.delete(name)

    def _all_names(self) -> list[str]:
        with _translated():
            self._files.invalidate_cache()
            try:
                paths = self._files.ls(self._root, detail=False)
            except FileNotFoundError:
                return []
        return [path.rpartition("/")[2] for path in paths]

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _write_local(self, name: str, content: bytes, publish: Callable[[Path, Path], None]) -> None:
        folder = Path(self._root)
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync(folder.parent)
        unfinished = folder / f"{_UNFINISHED}{secrets.token_hex(8)}"
        try:
            _write_synced(unfinished, content)
            publish(unfinished, folder / name)
        finally:
            unfinished.unlink(missing_ok=True)
        _sync(folder)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):  # so that reading back reads the disk
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated() -> Iterator[None]:
    """Drivers raise whatever their libraries raise, but for these two, which are answers."""
    with patience(ANSWER_SECONDS):
        try:
            yield
        except (FileNotFoundError, FileExistsError):
            raise
        except Exception as exc:
            raise ArchiveUnavailable(f"The archive does not answer: {exc}") from exc
