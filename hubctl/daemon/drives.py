"""What the drives of belts are told, how fast they run, and which of them does not do what it is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hubctl.core.devices import profile_of, speed_told
from hubctl.core.events import Kind, Records
from hubctl.core.hubfile import Belt, Hub
from hubctl.core.profile import Profile

OFF_PART = 10  # of the belt's speed: so much beside what is wanted, it is another speed
OFF_NS = 5_000_000_000  # a ramp takes less


class _Drive(NamedTuple):
    """The drive of one belt."""

    belt: Belt
    belt_index: int
    node_index: int
    profile: Profile


class DriveBoard:
    """Follows the drives of a hub.

    Parameters
    ----------
    hub : Hub
    """

    def __init__(self, hub: Hub) -> None:
        self._drives = list(_drives(hub))
        self._wanted_mm_s = dict.fromkeys((drive.belt_index for drive in self._drives), 0)
        self._is_at_mm_s: dict[int, int] = {}
        self._right_ns: dict[int, int] = {}  # when each ran as wanted last
        self._is_off: set[int] = set()
        self._messages: list[str] = []

    def take(self, records: Records) -> None:
        """What was drained: what belts were told."""
        for record in records[records["kind"] == Kind.RUN_BELT] if self._drives else ():
            if int(record["device"]) in self._wanted_mm_s:
                self._wanted_mm_s[int(record["device"])] = int(record["value"])

    def look(self, words: Sequence[int | None], now_ns: int) -> None:
        """What the nodes told last."""
        for drive in self._drives:
            word = words[drive.node_index]
            if word is None:
                self._is_at_mm_s.pop(drive.belt_index, None)
                self._right_ns[drive.belt_index] = now_ns
            else:
                self._is_at_mm_s[drive.belt_index] = speed_told(drive.belt, drive.profile, word)
                self._judge(drive, now_ns)

    def _judge(self, drive: _Drive, now_ns: int) -> None:
        """Says it once when a drive runs otherwise for long, and once when it is right again."""
        index = drive.belt_index
        is_at, wanted = self._is_at_mm_s[index], self._wanted_mm_s[index]
        if abs(is_at - wanted) * OFF_PART <= drive.belt.speed_mm_s:
            self._right_ns[index] = now_ns
        is_off = now_ns - self._right_ns.setdefault(index, now_ns) >= OFF_NS
        if is_off != (index in self._is_off):
            self._is_off ^= {index}
            instead = f" instead of {wanted}" if is_off else ""
            assert drive.belt.drive is not None
            self._messages.append(
                f"belt {drive.belt.name}: its drive {drive.belt.drive.node} runs at {is_at} mm/s{instead}"
            )

    def messages(self) -> list[str]:
        """What changed since the last call, a line each."""
        said, self._messages = self._messages, []
        return said

    @property
    def is_empty(self) -> bool:
        """Whether no belt has a drive that is spoken to."""
        return not self._drives

    @property
    def status(self) -> dict[str, Any]:
        """By belt: its drive, how fast it runs (None: not known), and how fast it should."""
        return {
            drive.belt.name: {
                "node": drive.belt.drive.node if drive.belt.drive else "",
                "mm_s": self._is_at_mm_s.get(drive.belt_index),
                "wanted_mm_s": self._wanted_mm_s[drive.belt_index],
            }
            for drive in self._drives
        }


def _drives(hub: Hub) -> list[_Drive]:
    nodes = {node.name: (i, node) for i, node in enumerate(hub.nodes)}
    found = []
    for index, belt in enumerate(hub.belts):
        if belt.drive is not None:
            node_index, node = nodes[belt.drive.node]
            profile = profile_of(node)
            assert profile is not None
            found.append(_Drive(belt, index, node_index, profile))
    return found
