"""Somebody at a shell who has a clone and docs/operations.md."""

import os
import pty
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.stack.manual import commands

ENVIRONMENT = {
    "COMPOSE_PROJECT_NAME": "floodgate-stack",  # a deployment that the engine has stays as it is
    "COMPOSE_PROGRESS": "quiet",
    # The classic builder: the other one pulls what it is made of.
    "DOCKER_BUILDKIT": "0",
    "COMPOSE_BAKE": "false",
}
COMMAND_SECONDS = 900.0


class CommandFailed(AssertionError):
    """A documented command ended with an error; the message is what it printed."""


class Operator:
    """Runs commands in ``folder``; ``say`` takes a line about each."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder = folder
        self._say = say
        self._environment = os.environ | ENVIRONMENT

    def follow(self, heading: str, **fill_in: str) -> list[str]:
        """Run the commands below ``heading``, with words in capitals replaced; what each printed."""
        return [self.run(line) for line in self.documented(heading, **fill_in)]

    def documented(self, heading: str, **fill_in: str) -> list[str]:
        lines = commands(self.folder, heading)
        for word, value in fill_in.items():
            lines = [line.replace(word, value) for line in lines]
        return lines

    def fails(self, line: str) -> str:
        """What a command printed that must fail."""
        try:
            self.run(line)
        except CommandFailed as failed:
            return str(failed)
        raise AssertionError(f"{line} has not failed")

    def run(self, line: str, *, typing: Sequence[str] = ()) -> str:
        """What it printed. ``typing``: answers for a command that asks, at a terminal. Raises: CommandFailed."""
        begun = time.monotonic()
        status, output = self._at_terminal(line, typing) if typing else self._plain(line)
        self._say(f"$ {line}   ({time.monotonic() - begun:.1f} s)")
        if status != 0:
            raise CommandFailed(f"{line}\nended with {status}:\n{output[-4_000:]}")
        return output

    def _plain(self, line: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_SECONDS,
        )
        return done.returncode, done.stdout.decode(errors="replace")

    def _at_terminal(self, line: str, typing: Sequence[str]) -> tuple[int, str]:
        """Each answer is typed when the command has printed its next question, which ends with a colon."""
        outside, inside = pty.openpty()
        process = subprocess.Popen(
            ["bash", "-c", line], cwd=self.folder, env=self._environment, stdin=inside, stdout=inside, stderr=inside
        )
        os.close(inside)
        printed, answers = b"", list(typing)
        while chunk := _read(outside):
            printed += chunk
            if answers and printed.rstrip(b" ").endswith(b":"):
                os.write(outside, answers.pop(0).encode() + b"\n")
        os.close(outside)
        return process.wait(COMMAND_SECONDS), printed.decode(errors="replace")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # the other side has closed
        return b""
