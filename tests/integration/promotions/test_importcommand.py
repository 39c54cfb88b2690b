"""``import_promotions``: what it takes, and what it refuses before anything is queued."""

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from promotions.models import Import
from tests.promotions import finished, rows, served

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])


@pytest.fixture(autouse=True)
def own_root(tmp_path: Path, settings: object) -> None:
    settings.IMPORT_ROOT = tmp_path / "root"  # type: ignore[attr-defined]
    (tmp_path / "root").mkdir()


@contextmanager
def pipe_with(content: bytes, path: Path) -> Iterator[Path]:
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=[content], daemon=True)
    writer.start()
    yield path
    writer.join(5)


@contextmanager
def source_of(content: bytes, path: Path, through_pipe: bool) -> Iterator[Path]:
    if through_pipe:
        with pipe_with(content, path):
            yield path
    else:
        path.write_bytes(content)
        yield path


def run(path: Path | str) -> str:
    out = io.StringIO()
    call_command("import_promotions", str(path), stdout=out, stderr=out)
    return out.getvalue()


def uploads() -> list[Path]:
    return list(Path(settings.IMPORT_ROOT).rglob("*.csv"))


def test_what_comes_through_a_pipe_is_kept_and_served(tmp_path: Path) -> None:
    with pipe_with(rows(range(3)).encode(), tmp_path / "pipe") as pipe:
        assert "is queued" in run(pipe)
    import_ = Import.objects.get()
    assert (import_.is_upload, Path(import_.path)) == (True, uploads()[0])
    assert finished(import_).status == "published"
    assert served(1) == "1.50"


@pytest.mark.parametrize("through_pipe", [False, True])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty. Nothing was imported."),
        (b"PK\x03\x04" + bytes(100), "is a zip archive or an Excel workbook; unpack it or save it as CSV."),
    ],
)
def test_what_cannot_be_imported_is_refused_in_words_and_leaves_nothing(
    tmp_path: Path, content: bytes, said: str, through_pipe: bool
) -> None:
    with source_of(content, tmp_path / "source", through_pipe) as path, pytest.raises(CommandError, match=said):
        run(path)
    assert (Import.objects.count(), uploads()) == (0, [])


@pytest.mark.parametrize(
    ("name", "said"), [("missing", "No such file or directory"), (".", "Is a directory"), ("a/b", "No such file")]
)
def test_a_path_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(CommandError, match=f"{tmp_path}.* cannot be read or written: {said}"):
        run(tmp_path / name)
