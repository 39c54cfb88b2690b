"""What can go wrong with the stack, each said in one line that the person at the terminal can act on."""


class DevstackError(Exception):
    """The stack cannot start or go on; the message is shown as it is."""


class PartKeepsDying(DevstackError):
    """A part died too often within a minute. ``last_lines`` are the end of its log."""

    def __init__(self, name: str, code: int, last_lines: list[str]) -> None:
        self.last_lines = last_lines
        super().__init__(f"{name} died again and again (last exit code {code}), so everything was stopped")


class Stopped(Exception):
    """SIGINT or SIGTERM arrived: not an error, only the way out of a wait."""
