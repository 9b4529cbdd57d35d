"""Simulated scanners: what each make says of a parcel, and what it answers; bytes and times in, bytes out.

A twin speaks as its scanner of the hub file is set up. What a make does besides stands in its class: acknowledged
packets, modes that must be asked for, numbers that are told it and come back with the read.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from hubctl.core.wiring import framing_of

if TYPE_CHECKING:
    from hubctl.core.hubfile import Scanner

NS_PER_MS = 1_000_000
NEVER_NS = 2**63 - 1
HEARTBEAT_NS = 1000 * NS_PER_MS
BUSY_NS = 5 * NS_PER_MS  # SICK: a second method within it is too early
FORGETS_NS = 10_000 * NS_PER_MS  # Keyence: half a command is forgotten
RESENDS_NS = 300 * NS_PER_MS  # Zebra: a packet without an acknowledgement is sent again
N_SENT_MAX = 3  # and given up after so many
N_NUMBERS_MAX = 8
PACKET_MAX = 20  # Zebra: of a label; longer ones take several packets

_SSI_DECODE, _SSI_ACK, _SSI_NAK, _SSI_CODE128 = 0xF3, 0xD0, 0xD1, 3
_RESENT, _GOES_ON = 1, 2


class ScannerTwin:
    """A scanner without its line, of a make that sends text between marks and answers nothing.

    Parameters
    ----------
    scanner : Scanner
        Of the hub file.

    Examples
    --------
    >>> from hubctl.core.hubfile import Scanner
    >>> twin = scanner_twin(Scanner(name="s", belt="b", at_mm=0, link="l", preset="sick"))
    >>> twin.read(b"SF1234567890123", 0, made_ns=0), twin.read(None, 0, made_ns=0)
    (b'\\x02SF1234567890123\\x03', b'\\x02NoRead\\x03')
    >>> twin.receive(b"\\x02sMN mTCgateon\\x03", 0)
    b'\\x02sAN mTCgateon 1\\x03'
    """

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._preset = framing_of(scanner)
        self._heard = b""
        self._said_ns = 0
        self._n_read = 0
        self._numbers: list[tuple[int, bytes]] = []  # when it was told, and what

    def read(self, label: bytes | None, now_ns: int, *, made_ns: int, stamp: bytes = b"") -> bytes:
        """What it says of a parcel that came by; None: nothing was read."""
        self._said_ns = now_ns
        self._n_read += 1
        text = self._preset.no_read.encode() if label is None else self._codes(label)
        number = self._number_at(made_ns)
        return self._framed(self._stamped(text, number) if number else stamp + text)

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """What it answers at once."""
        if self._scanner.numbered:
            self._take_numbers(data, now_ns)
        return b""

    def advance(self, now_ns: int) -> bytes:
        """What it says by itself: that it lives, if it has said nothing for a while."""
        if not self._preset.heartbeat or now_ns < self._said_ns + HEARTBEAT_NS:
            return b""
        self._said_ns = now_ns
        return self._framed(self._preset.heartbeat.encode())

    def next_deadline(self) -> int:
        """When it says something by itself next, ns."""
        return self._said_ns + HEARTBEAT_NS if self._preset.heartbeat else NEVER_NS

    def _framed(self, text: bytes) -> bytes:
        return self._preset.header.encode() + text + self._preset.terminator.encode()

    def _codes(self, label: bytes) -> bytes:
        """The label as this site's telegrams have it: in its field, and now and then read from two sides."""
        preset = self._preset
        fields = [b"0"] * (preset.label_field - 1) + [label] + [b"0"] * bool(preset.field_separator)
        code = preset.field_separator.encode().join(fields) if preset.field_separator else label
        if preset.group_separator:
            code = code.replace(b"\x1d", preset.group_separator.encode())
        n_codes = 2 if preset.code_separator and self._n_read % 3 == 0 else 1
        return preset.code_separator.encode().join([code] * n_codes)

    def _take_numbers(self, data: bytes, now_ns: int) -> None:
        """Numbers of triggers; the last ones are kept, since several parcels may be in the reading area."""
        *whole, self._heard = (self._heard + data).split(self._preset.number_terminator.encode())
        self._numbers += [(now_ns, number) for number in whole]
        del self._numbers[:-N_NUMBERS_MAX]

    def _number_at(self, made_ns: int) -> bytes:
        """The number last told before a read was made; empty if there was none."""
        return next((number for told_ns, number in reversed(self._numbers) if told_ns <= made_ns), b"")

    def _stamped(self, text: bytes, number: bytes) -> bytes:
        separator = self._scanner.stamp_separator.encode()
        parts = [number, text] if self._scanner.stamp_place == "first" else [text, number]
        return separator.join(parts)

    def _commands(self, data: bytes, end: bytes) -> list[bytes]:
        """The whole commands that have come."""
        *whole, self._heard = (self._heard + data).split(end)
        return whole


class SickTwin(ScannerTwin):
    """Answers SOPAS commands on the socket of its reads; two methods at once are too many."""

    def __init__(self, scanner: Scanner) -> None:
        super().__init__(scanner)
        self._busy_ns = 0

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """Answers in frames of its own."""
        commands = [command.rpartition(b"\x02")[2] for command in self._commands(data, b"\x03")]
        return b"".join(b"\x02" + self._answer(command, now_ns) + b"\x03" for command in commands)

    def _answer(self, command: bytes, now_ns: int) -> bytes:
        kind, _, name = command.partition(b" ")
        if kind == b"sRN" and name == b"DeviceIdent":
            return b"sRA DeviceIdent 6 CLV690 5 V1.00"
        if kind != b"sMN" or name not in (b"mTCgateon", b"mTCgateoff"):
            return b"sFA B"
        if now_ns < self._busy_ns:
            return b"sFA D"
        self._busy_ns = now_ns + BUSY_NS
        return b"sAN " + name + b" 1"


class CognexTwin(ScannerTwin):
    """Silent until the extended mode is asked for; then every command is answered, and reads are base64."""

    def __init__(self, scanner: Scanner) -> None:
        super().__init__(scanner)
        self._is_extended = False

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """Answers in the mode that holds once the command is done."""
        return b"".join(self._answer(command) for command in self._commands(data, b"\r\n"))

    def _answer(self, command: bytes) -> bytes:
        head, mark, text = command.partition(b">")
        known = {b"GET DEVICE.TYPE": b"DM262", b"TRIGGER ON": b"", b"TRIGGER OFF": b""}
        if text in (b"SET COM.DMCC-RESPONSE 0", b"SET COM.DMCC-RESPONSE 1"):
            self._is_extended = text.endswith(b"1")
            known[text] = b""
        status = b"0" if text in known else b"100"
        if not mark or not self._is_extended:
            return known[text] + b"\r\n" if mark and known.get(text) else b""
        return b"||" + head.removeprefix(b"||") + b"[" + status + b"]" + known.get(text, b"") + b"\r\n"

    def _framed(self, text: bytes) -> bytes:
        if self._is_extended:
            return b"||[1]" + base64.b64encode(text) + b"\r\n"
        return text + b"\r\n"


class KeyenceTwin(ScannerTwin):
    """Answers OK or ER before the read; ESC forgets half a command, and so does time."""

    def __init__(self, scanner: Scanner) -> None:
        super().__init__(scanner)
        self._is_reading = False
        self._heard_ns = 0

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """Answers with CR, as the commands came."""
        if now_ns - self._heard_ns > FORGETS_NS:
            self._heard = b""
        self._heard_ns = now_ns
        return b"".join(self._answer(command) for command in self._commands(data, b"\r"))

    def _answer(self, command: bytes) -> bytes:
        word = command.rpartition(b"\x1b")[2].removeprefix(b"\n")
        if word.startswith(b"LON") and not self._is_reading:
            self._is_reading = True
            return b"OK,LON\r"
        if word == b"LOFF" and self._is_reading:
            self._is_reading = False
            return b"OK,LOFF\r" + self._preset.no_read.encode() + b"\r"
        code = b"05" if word[:3] in (b"LON", b"LOF") else b"00"
        return b"ER," + word + b"," + code + b"\r"

    def _framed(self, text: bytes) -> bytes:
        self._is_reading = False
        return super()._framed(text)


class ZebraTwin(ScannerTwin):
    """Packets, one at a time, each sent again until it is acknowledged; long labels take several."""

    def __init__(self, scanner: Scanner) -> None:
        super().__init__(scanner)
        self._queue: list[bytes] = []
        self._n_sent = 0
        self._due_ns = NEVER_NS

    def read(self, label: bytes | None, now_ns: int, *, made_ns: int, stamp: bytes = b"") -> bytes:
        """The first packet; while one is under way it is busy, and what comes by is not read."""
        if self._queue:
            return b""
        self._n_read += 1
        text = self._preset.no_read.encode() if label is None else self._codes(label)
        parts = [text[i : i + PACKET_MAX] for i in range(0, len(text), PACKET_MAX)]
        for part in parts:
            status = 0 if part is parts[-1] else _GOES_ON
            self._queue.append(_packet(_SSI_DECODE, bytes([_SSI_CODE128]) + part, status))
        return self._send(now_ns)

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """The next packet after an acknowledgement, the same after a refusal."""
        self._heard += data
        said = b""
        while len(self._heard) > 1 and len(self._heard) >= self._heard[0] + 2:
            packet, self._heard = self._heard[: self._heard[0] + 2], self._heard[self._heard[0] + 2 :]
            said += self._follow(packet, now_ns)
        return said

    def advance(self, now_ns: int) -> bytes:
        """The packet again that nobody acknowledged; after three times the next."""
        if now_ns < self._due_ns:
            return b""
        if self._n_sent >= N_SENT_MAX:
            self._give_up()
        return self._send(now_ns)

    def next_deadline(self) -> int:
        """When a packet is sent again."""
        return self._due_ns

    def _follow(self, packet: bytes, now_ns: int) -> bytes:
        if sum(packet[:-2]) + int.from_bytes(packet[-2:], "big") & 0xFFFF:
            return _packet(_SSI_NAK, b"\x01")
        if packet[1] == _SSI_ACK and self._queue and self._n_sent:
            del self._queue[0]
            self._n_sent = 0
            return self._send(now_ns)
        if packet[1] == _SSI_NAK:
            return self._send(now_ns)
        return b"" if packet[1] == _SSI_ACK else _packet(_SSI_ACK, b"")

    def _send(self, now_ns: int) -> bytes:
        if not self._queue:
            self._due_ns = NEVER_NS
            return b""
        status = self._queue[0][3] | (_RESENT if self._n_sent else 0)
        self._n_sent += 1
        self._due_ns = now_ns + RESENDS_NS
        return _packet(_SSI_DECODE, self._queue[0][4:-2], status)

    def _give_up(self) -> None:
        """Drops a message that nobody takes, to its last packet."""
        while self._queue:
            goes_on = self._queue.pop(0)[3] & _GOES_ON
            if not goes_on:
                break
        self._n_sent = 0


class HoneywellTwin(ScannerTwin):
    """Plain labels until the decode header is asked for; menu commands are echoed with ACK, or ENQ if unknown."""

    def __init__(self, scanner: Scanner) -> None:
        super().__init__(scanner)
        self._has_header = False

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """Echoes menu commands, which end with ! or a full stop."""
        self._heard += data
        said = b""
        while ends := [i for i in (self._heard.find(b"!"), self._heard.find(b".")) if i >= 0]:
            command, self._heard = self._heard[: min(ends) + 1], self._heard[min(ends) + 1 :]
            said += self._answer(command.rpartition(b"\x16M\r")[2])
        return said

    def _answer(self, command: bytes) -> bytes:
        tag, end = command[:-1], command[-1:]
        if tag not in (b"DECHDR0", b"DECHDR1"):
            return tag + b"\x05" + end
        self._has_header = tag == b"DECHDR1"
        return tag + b"\x06" + end

    def _framed(self, text: bytes) -> bytes:
        if not self._has_header:
            return text + b"\r"
        payload = b"MSGGET%04djC0\x1d" % (len(text) + 1) + text + b"\r"
        return b"\x16\xfe" + len(payload).to_bytes(4, "little") + b"\r" + payload


class LeuzeTwin(ScannerTwin):
    """Gate commands are one byte, and not answered; V brings the version."""

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """The version, for each V."""
        return self._framed(b"BCL 308i SM 100 V 1.3.8 2008-02-15") * data.count(b"V")


_TWINS: dict[str, type[ScannerTwin]] = {
    "sick": SickTwin,
    "cognex": CognexTwin,
    "cognex-extended": CognexTwin,
    "keyence": KeyenceTwin,
    "zebra-ssi": ZebraTwin,
    "honeywell": HoneywellTwin,
    "honeywell-header": HoneywellTwin,
    "leuze": LeuzeTwin,
}


def scanner_twin(scanner: Scanner) -> ScannerTwin:
    """The twin of a scanner of the hub file, by its preset."""
    return _TWINS.get(scanner.preset, ScannerTwin)(scanner)


def _packet(opcode: int, data: bytes, status: int = 0) -> bytes:
    body = bytes([4 + len(data), opcode, 0, status]) + data
    return body + (-sum(body) & 0xFFFF).to_bytes(2, "big")
