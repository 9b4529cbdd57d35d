"""Golden traces of a loop: what else can happen on one. See `golden.py`.

A story of the hub `loop` begins at 20 s: until then its ring has turned empty, and every carrier was seen. One of
`loop cold=1` begins at 0 ms. Edges of the carrier eye are told to the kernel, and not written down.

    ready NAME LENGTH EYE [LABEL] [unmeasured]    a parcel comes to an induction, which tells its length
    lay NAME LENGTH CARRIER [LABEL]               laid onto a carrier by hand; 5.5: between 5 and 6
    take NAME                                     taken off, wherever it is
    spoils CARRIER, mends CARRIER                 it does not discharge, or does again
    sticks EYE, moves EYE                         an induction that does not launch, or does again
    unseen EYE, seen EYE                          an eye that sees nothing, or does again
    covered EYE, free EYE                         an eye that something covers, and does no more
"""

from __future__ import annotations

from functools import cache
from typing import Any

from golden import Stage, Story, in_order
from little_belt import Event, Parcel
from little_ring import LittleRing

from hubctl._kernel import Kernel
from hubctl.core.events import Kind

WARM_MS = 20_000


class RingStage(Stage):
    """A kernel and a little ring."""

    belt: LittleRing

    def __init__(self, story: Story) -> None:
        hub_name, *settings = story.head["hub"]
        is_cold = "cold=1" in settings
        settings = [setting for setting in settings if setting != "cold=1"]
        super().__init__(story._replace(head=story.head | {"hub": [hub_name, *settings]}))
        self.belt = LittleRing(self.hub)
        self.first_ms = 0 if is_cold else WARM_MS + 1
        if not is_cold:
            self._warm_up(story, tuple(settings))

    def _warm_up(self, story: Story, settings: tuple[str, ...]) -> None:
        snapshot, travel_um = warm(settings)
        self.kernel = Kernel(
            self.layout, self._plan(story.head["plan"][0]), n_tracks_max=16, snapshot=snapshot
        )
        self.belt.travel_um[self.names.belts[0]] = travel_um
        self.belt.edges()
        self.inputs.clear()

    def perform(self, script: list[tuple[int, list[str]]]) -> None:
        by_ms, first_ms = in_order(script), self.first_ms
        for self.now_ms in range(first_ms, max(by_ms) + 1):
            self._pass_millisecond(by_ms.get(self.now_ms, []))

    def _do_ready(self, name: str, length: str, eye: str, *labels: str) -> None:
        words = tuple(label for label in labels if label != "unmeasured")
        self.belt.stand(eye, self._parcel(name, int(length), words))
        self.told_mm = 0 if "unmeasured" in labels else int(length)
        for event in self.belt.edges():
            self._tell(event)

    def _do_lay(self, name: str, length: str, carrier: str, *labels: str) -> None:
        whole, _, half = carrier.partition(".")
        self.belt.lay(self._parcel(name, int(length), labels), 2 * int(whole) + (half == "5"))

    def _parcel(self, name: str, length_mm: int, labels: tuple[str, ...]) -> Parcel:
        self._put(name, self.names.belts[0], 0, length_mm, labels)
        return self.belt.parcels.pop(name)

    def _do_take(self, name: str) -> None:
        self.belt.parcels.pop(name, None)
        for eye in [eye for eye, parcel in self.belt.waiting.items() if parcel.name == name]:
            del self.belt.waiting[eye]

    def _do_spoils(self, carrier: str) -> None:
        self.belt.spoiled.add(int(carrier))

    def _do_mends(self, carrier: str) -> None:
        self.belt.spoiled.discard(int(carrier))

    def _do_sticks(self, eye: str) -> None:
        self.belt.stuck.add(eye)

    def _do_moves(self, eye: str) -> None:
        self.belt.stuck.discard(eye)

    def _do_unseen(self, eye: str) -> None:
        self.belt.unseen.add(eye)

    def _do_seen(self, eye: str) -> None:
        self.belt.unseen.discard(eye)

    def _do_covered(self, eye: str) -> None:
        self.belt.stuck_on.add(eye)

    def _do_free(self, eye: str) -> None:
        self.belt.stuck_on.discard(eye)

    def _tell(self, event: Event) -> None:
        super()._tell(event)
        if event[1] == "carrier":
            self.lines.pop()
        elif event[0] == "eye" and event[2] == "blocked" and event[1] in self.belt.waiting:
            self.inputs[-1]["limit"] = self.told_mm

    def _obey(self, record: Any) -> None:
        if record["kind"] == Kind.LAUNCH:
            self.belt.launch(self.names.eyes[record["device"]], int(record["due_ns"]) // 1_000_000)
        else:
            super()._obey(record)


@cache
def warm(settings: tuple[str, ...]) -> tuple[bytes, int]:
    """A kernel whose ring is synchronised and empty, and how far the ring has run."""
    head = {"hub": ["loop", "cold=1", *settings], "plan": ["loop"]}
    stage = RingStage(Story("", head, [], ""))
    stage.perform([(WARM_MS, ["end"])])
    return stage.kernel.snapshot(), stage.belt.travel_um[stage.names.belts[0]]


def perform(story: Story) -> Stage:
    """The stage after the story, of a loop or of belts."""
    stage = RingStage(story) if story.head["hub"][0] == "loop" else Stage(story)
    stage.perform(story.script)
    return stage
