"""A process of ours that says JSON lines, keeps its log in a file, and does not outlive us."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hubctl.io.processes import die_with_parent

CHUNK = 65_536
N_LAST_WORDS = 8
END_S_MAX = 10.0


class ChildDiedError(Exception):
    """A process ended before it was told to; the text has its last words."""


class Child:
    """One Python process, shielded from the terminal's Ctrl-C.

    Parameters
    ----------
    name : str
        For a person.
    arguments : sequence of str
        Of the interpreter.
    log : Path
        Takes its standard error.
    says_on : (int, int), optional
        A pipe (read end, write end) on which it says its lines; by default its standard output.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], log: Path, says_on: tuple[int, int] | None = None
    ) -> None:
        self.name = name
        self._log = log
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                pass_fds=() if says_on is None else says_on[1:],
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        assert self._process.stdout is not None
        self._fd = self._process.stdout.fileno() if says_on is None else says_on[0]
        if says_on is not None:
            os.close(says_on[1])
        os.set_blocking(self._fd, False)
        self._rest = b""

    def fileno(self) -> int:
        """Readable when it has said something."""
        return self._fd

    def lines(self) -> Iterator[dict[str, Any]]:
        """What it has said since the last call.

        Raises
        ------
        ChildDiedError
            It has nothing more to say.
        """
        while (data := self._read()) is not None:
            if not data:
                raise ChildDiedError(self._last_words())
            *whole, self._rest = (self._rest + data).split(b"\n")
            yield from map(json.loads, whole)

    def _read(self) -> bytes | None:
        try:
            return os.read(self._fd, CHUNK)
        except BlockingIOError:
            return None

    def _last_words(self) -> str:
        code = self._process.wait(END_S_MAX)
        words = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        said = "\n".join(f"  {line}" for line in words[-N_LAST_WORDS:]) or "  (it said nothing)"
        return f"{self.name} ended with exit code {code}; its last words:\n{said}"

    def tell(self, line: str) -> None:
        """Writes a line to its standard input; one that is gone is found out when it is listened to."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return

    def pause(self) -> None:
        """Stops it where it is, as a busy computer would."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> bytes:
        """Asks it to end, waits, and returns what its standard output still held."""
        self._process.terminate()
        return self._process.communicate(timeout=END_S_MAX)[0]

    def kill(self) -> None:
        """Ends it, whatever it does; nothing to do for one that has ended."""
        self._process.kill()
        self._process.wait(END_S_MAX)
