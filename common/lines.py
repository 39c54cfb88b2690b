"""Where a line ends in text that people and programs send: at LF, at CRLF, and at a CR that stands alone.

Several CRs before an LF belong to it: a file that went through two conversions has them. Readers that only know LF join
the rows of a file that a Mac or an old spreadsheet wrote to one, and count one reject for thousands of rows.
"""

import re

_LONE_RETURNS = re.compile(rb"(?<!\r)\r++(?!\n)")  # looks at each byte once, also in a megabyte of CRs


def end_by_newlines(text: bytes) -> bytes:
    """The same text, of the same length, in which each line ends with an LF, perhaps behind CRs.

    Args: text: whole lines. A CR at its very end is an end, so a piece of a file must not be cut before an LF.
    """
    return _LONE_RETURNS.sub(lambda returns: b"\n" * len(returns[0]), text) if b"\r" in text else text
