"""Line ends of a source that is read in pieces, however the pieces are cut.

``common.text.lines`` says where a line ends. A CR as the last byte of a piece depends on what follows: only there this
looks on in the file, and never twice at the same CRs, should there be a gigabyte of them.
"""

from typing import BinaryIO

from common.text.lines import end_by_newlines

_LOOK_BYTES = 2**16


class LineEnds:
    """Knows the line ends of a file whose pieces are read in order."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._known_to = -1  # the offset behind the last CRs that were looked at
        self._is_newline = False  # what stands there

    def end_by_newlines(self, piece: bytes) -> bytes:
        """The piece that was just read, with an LF at the end of each line."""
        if piece.endswith(b"\r") and self._newline_follows():
            return end_by_newlines(piece + b"\n")[:-1]
        return end_by_newlines(piece)

    def _newline_follows(self) -> bool:
        """Whether the CRs before the file's position go on to an LF."""
        offset = self._file.tell()
        if offset > self._known_to:
            behind = self._behind_returns()
            self._known_to, self._is_newline = self._file.tell() - len(behind), behind.startswith(b"\n")
            self._file.seek(offset)
        return self._is_newline

    def _behind_returns(self) -> bytes:
        """What was read last, from the first byte on that is no CR; empty at the end of the file."""
        while ahead := self._file.read(_LOOK_BYTES):
            if behind := ahead.lstrip(b"\r"):
                return behind
        return b""
