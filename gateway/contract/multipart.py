"""Multipart bodies, of which no part is passed over.

Django's parser leaves out parts without a name or a file's name, and takes a body that breaks off for a whole one: a
file that lacks its end would be imported. So the parts that came are counted beside it.
"""

from typing import IO, Any

from django.utils.http import parse_header_parameters
from rest_framework.parsers import DataAndFiles, MultiPartParser

from common.errors import FieldError, InvalidInput

END_BYTES = 1_024  # in which the closing boundary must be


class WholeMultiPartParser(MultiPartParser):
    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None
    ) -> "DataAndFiles[Any, Any]":
        """Raises: ParseError: no multipart body; InvalidInput: one that is not whole, or has a part without a name."""
        kind, _, parameters = (media_type or "").partition(";")
        media_type = f"{kind.lower()};{parameters}"  # which Django compares as it stands
        boundary = parse_header_parameters(media_type)[1].get("boundary", "")
        if not boundary:
            raise InvalidInput(FieldError("Content-Type", "Has no boundary; let your client write this header."))
        watched = _Watched(stream, boundary.encode())
        found = super().parse(watched, media_type, parser_context)  # type: ignore[arg-type]
        taken = sum(len(values) for part in (found.data, found.files) for _, values in part.lists())
        if not watched.is_closed:
            raise InvalidInput(FieldError("body", "Ends before its closing boundary: it is not whole."))
        if watched.boundaries != taken + 1:
            raise InvalidInput(FieldError("body", "Has a part or file without a name, or one that is not UTF-8."))
        return found


class _Watched:
    """A stream that counts the boundaries in what is read from it."""

    def __init__(self, stream: IO[bytes], boundary: bytes) -> None:
        self._stream = stream
        self._mark = b"\n--" + boundary
        self._end = b"\n"  # the last bytes; a boundary may stand at the very beginning, too
        self.boundaries = 0

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self.boundaries += (self._end[-len(self._mark) + 1 :] + piece).count(self._mark)
        self._end = (self._end + piece)[-END_BYTES:]
        return piece

    @property
    def is_closed(self) -> bool:
        return self._mark + b"--" in self._end
