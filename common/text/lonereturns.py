"""Text with a CR in it, on arrays: what ``lines`` needs numpy for, which most texts and processes do without."""

import numpy as np
from numpy.typing import NDArray

_NEWLINE, _RETURN = b"\n\r"
_WINDOW_BYTES = 2**16  # small arrays stay in the cache and in memory that malloc keeps


def replace_lone_returns(text: bytes) -> bytes:
    """As ``end_by_newlines``, for a text that has a CR."""
    characters = np.frombuffer(text, np.uint8)
    if _has_only_pairs(characters):
        return text
    ended = characters.copy()
    ended[_lone_returns(characters)] = _NEWLINE
    return ended.tobytes()


def _has_only_pairs(characters: NDArray[np.uint8]) -> bool:
    """Whether each CR stands right before an LF."""
    windows = (characters[start : start + _WINDOW_BYTES + 1] for start in range(0, len(characters), _WINDOW_BYTES))
    return bool(characters[-1] != _RETURN) and not any(map(_has_other_returns, windows))


def _has_other_returns(window: NDArray[np.uint8]) -> bool:
    return bool(((window[:-1] == _RETURN) > (window[1:] == _NEWLINE)).any())


def _lone_returns(characters: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Places of the CRs in runs that no LF follows, where there is one CR at least."""
    returns = np.flatnonzero(characters == _RETURN)
    lasts = np.flatnonzero(np.diff(returns, append=-1) != 1)  # of each run
    is_alone = characters.take(returns[lasts] + 1, mode="clip") != _NEWLINE  # at the text's end: the CR itself
    lone: NDArray[np.int64] = returns[np.repeat(is_alone, np.diff(lasts, prepend=-1))]
    return lone
