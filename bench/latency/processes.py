"""Child processes of the benchmark: started on given CPUs, spoken to by lines, ended by their own id."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

ROOT = Path(__file__).parents[2]
CPUCLOCK_SCHED = 2  # of a process: user and system time of all its threads, ns (see clock_getcpuclockid)


class ChildError(Exception):
    """A child process ended, or did not answer in time."""


@contextmanager
def on_cpus(cpus: Collection[int] | None) -> Iterator[None]:
    """What is started inside inherits these CPUs; None: all."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Child:
    """A process that ends with the `with` block that holds it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        errors: IO[bytes],
        *,
        cpus: Collection[int] | None = None,
        shared_fds: Collection[int] = (),
    ) -> None:
        self.name = name
        self._errors = errors
        self._unread = b""
        with on_cpus(cpus):
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=tuple(shared_fds),
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def say(self, line: str) -> None:
        """Writes a line to the child's standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def hear(self, timeout_s: float) -> str:
        """The next line of its standard output."""
        deadline_s = time.monotonic() + timeout_s
        while b"\n" not in self._unread:
            self._unread += self._hear_bytes(deadline_s - time.monotonic())
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def _hear_bytes(self, timeout_s: float) -> bytes:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, timeout_s))
        data = os.read(self._process.stdout.fileno(), 4096) if ready else b""
        if not data:
            what = "ended" if ready else "did not answer in time"
            raise ChildError(f"{self.name} {what}: {self.last_words()}")
        return data

    def check_alive(self) -> None:
        """Raises ChildError if the process has ended."""
        if self._process.poll() is not None:
            raise ChildError(f"{self.name} ended with {self._process.returncode}: {self.last_words()}")

    def last_words(self) -> str:
        """The end of what it wrote on standard error."""
        self._errors.seek(0)
        return self._errors.read()[-600:].decode(errors="replace").strip() or "(no word on standard error)"

    def cpu_ns(self) -> int:
        """CPU time of all its threads so far, ns."""
        return time.clock_gettime_ns((~self._process.pid << 3) | CPUCLOCK_SCHED)
