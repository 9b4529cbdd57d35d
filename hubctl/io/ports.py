"""Serial ports: opened for nobody else, set up raw, and handed over as a descriptor."""

from __future__ import annotations

import errno
import os
import termios
from typing import Literal

import serial

Parity = Literal["none", "even", "odd"]

_PARITY = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}
_ADVICE = {
    errno.ENOENT: "is not there; is the cable plugged in, and is this its name in /dev/serial/by-id?",
    errno.EACCES: "may not be opened by this user; add the user to the group that owns it (dialout)",
    errno.EBUSY: "is taken by another program; end that one first",
    errno.EAGAIN: "is taken by another program; end that one first",
    errno.EIO: "does not answer; unplug the adapter and plug it in again",
    errno.ENOTTY: "is no serial port; check the device in the hub file",
}


class PortError(Exception):
    """A serial port cannot be used; the text names it and says what to do."""

    def __init__(self, device: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{device} {reason}")


def open_port(device: str, *, baud: int, parity: Parity = "none", stop_bits: Literal[1, 2] = 1) -> int:
    """Open a serial port, alone, raw and non-blocking.

    Parameters
    ----------
    device : str
        Path of the port; /dev/serial/by-id names stay the same when adapters are moved.
    baud : int
        Bits per second.

    Returns
    -------
    int
        A descriptor that belongs to the caller. A read of 0 bytes from it means that the port is gone.

    Raises
    ------
    PortError
        Absent, taken, not permitted, or no serial port.
    """
    try:
        with serial.Serial(
            device, baud, parity=_PARITY[parity], stopbits=stop_bits, timeout=0, exclusive=True
        ) as port:
            return _handed_over(port.fileno())
    except serial.SerialException as failure:
        raise PortError(device, _advice(failure.errno, str(failure))) from None
    except (OSError, termios.error, ValueError) as failure:
        number = failure.args[0] if failure.args and isinstance(failure.args[0], int) else None
        raise PortError(device, _advice(number, str(failure))) from None


def _handed_over(fd: int) -> int:
    """A second descriptor of the same open port, which keeps its lock and its settings."""
    settings = termios.tcgetattr(fd)
    # Without a byte to read, a read then fails with EAGAIN, and 0 bytes mean that the port is gone.
    settings[6][termios.VMIN] = 1
    termios.tcsetattr(fd, termios.TCSANOW, settings)
    termios.tcflush(fd, termios.TCIOFLUSH)
    return os.dup(fd)


def _advice(number: int | None, text: str) -> str:
    # pyserial tells these two only in words.
    if "exclusively lock" in text:
        return _ADVICE[errno.EBUSY]
    if "configure port" in text:
        return _ADVICE[errno.ENOTTY]
    return _ADVICE.get(number or 0, f"cannot be opened: {text}")
