"""What stands: the machine's state and the alarms raised and not yet cleared, in words for a person."""

from __future__ import annotations

from typing import Any

import numpy as np

from hubctl.core.events import ALARM_SENTENCES, NO_INDEX, Alarm, Kind, MachineState, Records
from hubctl.core.layout import HubNames

# Which of the hub's things an alarm's `device` counts; those left out are about the hub as a whole.
_ABOUT = {
    Alarm.NODE_DOWN: "nodes",
    Alarm.TRACKS_USED_UP: "belts",
    Alarm.JAM: "eyes",
    Alarm.EYE_BLIND: "eyes",
    Alarm.EYE_CHATTERS: "eyes",
    Alarm.ENCODER_SILENT: "belts",
    Alarm.ENCODER_JUMPED: "belts",
    Alarm.BELT_DRIFTS: "belts",
    Alarm.DIVERTER_FAILS: "diverters",
    Alarm.DIVERTER_STUCK_OUT: "diverters",
    Alarm.SCANNER_SILENT: "scanners",
    Alarm.SAME_LABEL: "scanners",
    Alarm.GRIDLOCK: "belts",
    Alarm.RING_LOST: "belts",
    Alarm.CHUTE_NOT_EMPTIED: "chutes",
    Alarm.NODE_SAFE: "nodes",
}


class AlarmBoard:
    """Follows the kernel's alarms and its machine's state.

    Parameters
    ----------
    names : HubNames
        What the devices are called.
    """

    def __init__(self, names: HubNames) -> None:
        self._names = names
        self._standing: dict[tuple[Alarm, str], None] = {}
        self._messages: list[str] = []
        self.machine: MachineState | None = None

    def take(self, records: Records) -> None:
        """What was drained."""
        told = np.isin(records["kind"], (Kind.ALARM_RAISED, Kind.ALARM_CLEARED, Kind.STATE_CHANGED))
        for record in records[told]:
            if record["kind"] == Kind.STATE_CHANGED:
                self._enter(MachineState(int(record["value"])))
            else:
                self._turn(record, record["kind"] == Kind.ALARM_RAISED)

    @property
    def standing(self) -> list[dict[str, str]]:
        """Alarms that stand, the oldest first: which, what it is about, and a sentence in two languages."""
        return [
            {"alarm": alarm.name, "about": about, **ALARM_SENTENCES[alarm]._asdict()}
            for alarm, about in self._standing
        ]

    def messages(self) -> list[str]:
        """What changed since the last call, a line each."""
        said, self._messages = self._messages, []
        return said

    def _enter(self, state: MachineState) -> None:
        self.machine = state
        self._messages.append(f"machine: {state.name}")

    def _turn(self, record: Any, is_raised: bool) -> None:
        alarm = Alarm(int(record["value"]))
        about = self._about(alarm, record)
        was_standing = (alarm, about) in self._standing
        if is_raised == was_standing:
            return
        if is_raised:
            self._standing[alarm, about] = None
        else:
            del self._standing[alarm, about]
        verb = "alarm" if is_raised else "alarm over"
        self._messages.append(f"{verb}: {about + ': ' if about else ''}{ALARM_SENTENCES[alarm].en}")

    def _about(self, alarm: Alarm, record: Any) -> str:
        if record["chute"] != NO_INDEX:
            return str(self._names.chutes[record["chute"]])
        if alarm is Alarm.CARRIER_FAILS:
            return str(record["device"])
        things: tuple[str, ...] = getattr(self._names, _ABOUT[alarm]) if alarm in _ABOUT else ()
        return things[record["device"]] if record["device"] < len(things) else ""
