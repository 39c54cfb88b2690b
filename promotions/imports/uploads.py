"""Sources that are ours: uploads, and what comes through a pipe, kept under IMPORT_ROOT where the workers find them."""

import os
import shutil
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from django.conf import settings


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def keep_file(path: Path) -> Path:
    """Take a file over; no copy is made within one file system. Raises OSError."""
    target = _target()
    shutil.move(path, target)
    _make_durable(target)
    return target


def keep_stream(stream: Readable) -> Path:
    """A copy of all that comes. Raises OSError; nothing is left then."""
    target = _target()
    try:
        with target.open("xb") as file:
            shutil.copyfileobj(stream, file)
        _make_durable(target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target


def _target() -> Path:
    target: Path = settings.IMPORT_ROOT / "uploads" / f"{uuid4()}.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _make_durable(path: Path) -> None:
    """What was accepted survives a power cut."""
    for durable in (path, path.parent):
        descriptor = os.open(durable, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
