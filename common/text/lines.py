"""Where a line ends in text that people and programs send: at LF, at CRLF, and at a CR that stands alone.

Several CRs before an LF belong to it: a file that went through two conversions has them. Readers that only know LF join
the rows of a file that a Mac or an old spreadsheet wrote to one, and count one reject for thousands of rows.
"""


def end_by_newlines(text: bytes) -> bytes:
    """The same text, of the same length, in which each line ends with an LF, perhaps behind CRs.

    On arrays, because files of millions of lines pass here: 1 MiB of CRLF takes 0.1 ms, of lone CRs 0.3 ms (2026-11).

    Args: text: whole lines. A CR at its very end is an end, so a piece of a file must not be cut before an LF.
    """
    if b"\r" not in text:
        return text
    from common.text.lonereturns import replace_lone_returns  # numpy takes 11 MiB of each process that has it

    return replace_lone_returns(text)
