"""What the devices of the benchmark's belt say, in order of time: parcels at an even pitch, nothing goes wrong."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from hubctl.core.events import NO_COUNTS, NO_INDEX, Kind
from kernel_steps.belt import (
    FAR,
    INDUCT,
    INDUCT_COUNTS,
    LENGTH_COUNTS,
    N_LABELS,
    PITCH_COUNTS,
    SCAN_COUNTS,
    SCAN_LATENCY_NS,
    SLIDE_NS,
    SPEED_COUNTS_S,
    TUNNEL,
    TUNNEL_COUNTS,
    diverter_counts,
    far_counts,
)

Events = npt.NDArray[np.void]

NS_PER_COUNT = 1_000_000_000 // SPEED_COUNTS_S
POLL_NS = 5_000_000


class What(IntEnum):
    """What a step is about; the last two are told by what comes out of it."""

    TICK = 0
    ENCODER = 1
    INDUCT = 2  # a leading edge opens a track
    EYE = 3  # a leading edge meets a track that ran the whole belt
    TRAIL = 4  # a trailing edge, at any eye
    READ = 5
    CONFIRM = 6
    COMMIT = 7
    FIRE = 8
    NEAR = 9  # a leading edge at the tunnel eye, soon after the induct


EVENT = np.dtype(
    [
        ("t_ns", "<i8"),
        ("counts", "<i8"),
        ("label", "<i4"),  # of a read
        ("kind", "<u2"),
        ("device", "<u2"),
        ("chute", "<u2"),
        ("value", "<u2"),
        ("what", "<u2"),
        ("n", "<u2"),  # inputs: a tick has none
    ]
)


class Stream:
    """The inputs of a belt that holds so many parcels.

    Parameters
    ----------
    n_tracks : int
    lanes : int64 array, shape (N_LABELS,)
        Lane of each label; parcel k has label k modulo N_LABELS.
    """

    def __init__(self, n_tracks: int, lanes: npt.NDArray[np.int64]) -> None:
        self._lanes = lanes
        self._far_counts = far_counts(n_tracks)
        self._diverters = diverter_counts(n_tracks)

    def between(self, from_counts: int, until_counts: int) -> Events:
        """Everything told while the belt runs from one count to another, in order of time."""
        span = (from_counts, until_counts)
        parts = [
            self._ticks(span),
            self._encoder(span),
            *self._edges(span, INDUCT, INDUCT_COUNTS, What.INDUCT),
            *self._edges(span, TUNNEL, TUNNEL_COUNTS, What.NEAR),
            *self._edges(span, FAR, self._far_counts, What.EYE),
            self._reads(span),
            *(self._confirms(span, d) for d in range(len(self._diverters))),
        ]
        events = np.concatenate(parts)
        return events[np.argsort(events["t_ns"], kind="stable")]

    def _ticks(self, span: tuple[int, int]) -> Events:
        events = _clocked(span, POLL_NS // 2)
        events["kind"] = Kind.TICK
        events["what"] = What.TICK
        events["n"] = 0
        return events

    def _encoder(self, span: tuple[int, int]) -> Events:
        events = _clocked(span, 0)
        events["kind"] = Kind.ENCODER
        events["counts"] = events["t_ns"] // NS_PER_COUNT
        events["what"] = What.ENCODER
        return events

    def _edges(self, span: tuple[int, int], eye: int, at_counts: int, what: What) -> list[Events]:
        leads, _ = _passing(span, at_counts)
        trails, _ = _passing(span, at_counts + LENGTH_COUNTS)
        for events, value, name in ((leads, 1, what), (trails, 0, What.TRAIL)):
            events["kind"] = Kind.EYE
            events["device"] = eye
            events["value"] = value
            events["counts"] = events["t_ns"] // NS_PER_COUNT
            events["what"] = name
        return [leads, trails]

    def _reads(self, span: tuple[int, int]) -> Events:
        events, parcels = _passing(span, SCAN_COUNTS + LENGTH_COUNTS // 2 + SCAN_LATENCY_NS // NS_PER_COUNT)
        events["kind"] = Kind.READ
        events["label"] = parcels % N_LABELS
        events["what"] = What.READ
        return events

    def _confirms(self, span: tuple[int, int], diverter: int) -> Events:
        at_counts = self._diverters[diverter] + LENGTH_COUNTS // 2 + SLIDE_NS // NS_PER_COUNT
        events, parcels = _passing(span, at_counts)
        chutes = self._lanes[parcels % N_LABELS]
        events["kind"] = Kind.CONFIRM
        events["chute"] = chutes
        events["value"] = 1
        events["what"] = What.CONFIRM
        return events[chutes // 2 == diverter]


def _events(t_ns: npt.NDArray[np.int64]) -> Events:
    events = np.zeros(len(t_ns), EVENT)
    events["t_ns"] = t_ns
    events["counts"] = NO_COUNTS
    events["chute"] = NO_INDEX
    events["n"] = 1
    return events


def _clocked(span: tuple[int, int], offset_ns: int) -> Events:
    """One event a poll period."""
    first, last = (-(-(counts * NS_PER_COUNT - offset_ns) // POLL_NS) for counts in span)
    return _events(np.arange(first, last, dtype=np.int64) * POLL_NS + offset_ns)


def _passing(span: tuple[int, int], at_counts: int) -> tuple[Events, npt.NDArray[np.int64]]:
    """One event for each parcel whose leading edge comes to a place, and the parcels."""
    first, last = (max(-(-(counts - at_counts) // PITCH_COUNTS), 0) for counts in span)
    parcels = np.arange(first, last, dtype=np.int64)
    return _events((parcels * PITCH_COUNTS + at_counts) * NS_PER_COUNT), parcels
