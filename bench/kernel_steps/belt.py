"""A belt as long as it takes to have so many parcels on it, and a sort plan of so many rules.

Induct eye, scanner and tunnel eye stand at the start, four diverters with eight chutes at the end, and an eye
before them: what happens there meets tracks that nobody has touched for the whole length of the belt. One
count is one mm. Half of the rules are ZIP prefixes, half are labels advised beforehand, and every parcel has
a label that one of them decides.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl._lookup import LaneTable
from hubctl.core import tables
from hubctl.core.chains import plain_chains
from hubctl.core.events import NO_INDEX
from hubctl.core.hops import find_hops
from hubctl.core.labels import compile_formats, compose_many
from hubctl.core.tables import BeltKind, CompiledPlan, EyeRole, Layout
from hubctl.sim import draw

PITCH_COUNTS = 600
LENGTH_COUNTS = 300
SPEED_COUNTS_S = 2500
INDUCT, TUNNEL, FAR, END = range(4)  # eyes
INDUCT_COUNTS, SCAN_COUNTS, TUNNEL_COUNTS = 300, 1200, 2000
N_DIVERTERS = 4
N_LANES = 2 * N_DIVERTERS  # one chute each
END_CHUTE = N_LANES
LATENCY_NS, HOLD_NS = 60_000_000, 100_000_000
SCAN_LATENCY_NS = 50_000_000
SLIDE_NS = 250_000_000  # from the paddle to the chute eye
N_LABELS = 1 << 17  # labels in use, over and over; more than there are parcels on any belt
ZIP_DIGITS = 5


def far_counts(n_tracks: int) -> int:
    """The last eye before the diverters, so far away that so many parcels are on the belt."""
    return (n_tracks - N_DIVERTERS // 2) * PITCH_COUNTS


def diverter_counts(n_tracks: int) -> list[int]:
    """Where the diverters stand."""
    return [far_counts(n_tracks) + PITCH_COUNTS * k + PITCH_COUNTS // 2 for k in range(N_DIVERTERS)]


def make_layout(n_tracks: int) -> Layout:
    """The belt that holds so many parcels."""
    places = diverter_counts(n_tracks)
    end_counts = places[-1] + PITCH_COUNTS
    belts, diverters, chutes = _belt(end_counts + PITCH_COUNTS), _diverters(places), _chutes()
    return Layout(
        belts=belts,
        eyes=_eyes([INDUCT_COUNTS, TUNNEL_COUNTS, far_counts(n_tracks), end_counts]),
        scanners=_rows(
            tables.SCANNER, 1, at_counts=SCAN_COUNTS, latency_ns=SCAN_LATENCY_NS, reach_counts=100
        ),
        diverters=diverters,
        chutes=chutes,
        n_nodes=1,
        hops=find_hops(belts, diverters, chutes),
        rings=np.zeros(1, tables.RING),
    )


def _rows(dtype: np.dtype[np.void], n: int, **columns: object) -> npt.NDArray[np.void]:
    rows = np.zeros(n, dtype)
    for name, values in columns.items():
        rows[name] = values
    return rows


def _belt(length_counts: int) -> npt.NDArray[np.void]:
    return _rows(
        tables.BELT,
        1,
        kind=BeltKind.LINE,
        end_chute=END_CHUTE,
        counter_bits=32,
        counts_per_m=1000,
        run_node=NO_INDEX,
        length_counts=length_counts,
        speed_counts_s=SPEED_COUNTS_S,
        speed_counts_s_min=SPEED_COUNTS_S // 2,
        speed_counts_s_max=SPEED_COUNTS_S,
        parcel_counts_min=100,
        parcel_counts_max=1200,
        stale_ns=200_000_000,
        told_late_ns=180_000_000,
        jitter_ns=100_000_000,
    )


def _eyes(places: list[int]) -> npt.NDArray[np.void]:
    roles = [EyeRole.INDUCT, EyeRole.TRACK, EyeRole.TRACK, EyeRole.END]
    return _rows(
        tables.EYE,
        4,
        role=roles,
        at_counts=places,
        window_counts=80,
        window_before_counts=80,
        length_window_counts=60,
    )


def _diverters(places: list[int]) -> npt.NDArray[np.void]:
    return _rows(
        tables.DIVERTER,
        N_DIVERTERS,
        at_counts=places,
        latency_ns=LATENCY_NS,
        hold_ns=HOLD_NS,
        commit_ns=60_000_000,
        void_ns=15_000_000,
        clear_counts=160,
    )


def _chutes() -> npt.NDArray[np.void]:
    middle_ns = LATENCY_NS + HOLD_NS // 2 + SLIDE_NS
    chutes = _rows(
        tables.CHUTE,
        N_LANES + 1,
        diverter=[*np.repeat(np.arange(N_DIVERTERS), 2), NO_INDEX],
        has_confirm=1,
        to_belt=NO_INDEX,
        confirm_from_ns=middle_ns - 200_000_000,
        confirm_until_ns=middle_ns + 200_000_000,
    )
    chutes[END_CHUTE]["has_confirm"] = 0
    return chutes


class Rules(NamedTuple):
    """A plan, and the labels that it decides with the lane of each."""

    plan: CompiledPlan
    labels: npt.NDArray[np.bytes_]  # S56, shape (N_LABELS,)
    lanes: npt.NDArray[np.int64]


def make_rules(n_rules: int) -> Rules:
    """A plan of so many rules, lanes in turn, and labels drawn from all of them."""
    n_prefixes = n_rules // 2
    digits = len(str(n_prefixes - 1))
    prefixes = np.char.zfill(np.arange(n_prefixes).astype("S5"), digits)
    advised = compose_many("sf", np.arange(n_rules - n_prefixes, dtype=np.int64))
    rules = [("zip", prefix.decode(), i % N_LANES) for i, prefix in enumerate(prefixes)]
    advised_lanes = (np.arange(len(advised)) % N_LANES).astype(np.int32)
    table = LaneTable(compile_formats(["usps-impb", "sf"]), rules, advised, advised_lanes)
    which = _once_each(draw.between(1, "rule", N_LABELS, 0, n_rules - 1), n_prefixes)
    by_prefix = which < n_prefixes
    labels = np.zeros(N_LABELS, "S56")
    labels[by_prefix] = _keyed(prefixes[which[by_prefix]], digits)
    labels[~by_prefix] = advised[which[~by_prefix] - n_prefixes]
    lanes = np.where(by_prefix, which, which - n_prefixes) % N_LANES
    return Rules(_plan(table), labels, lanes)


def _once_each(which: npt.NDArray[np.int64], n_prefixes: int) -> npt.NDArray[np.int64]:
    """Rules in use, each advised label once, for two parcels of one label go nowhere; a prefix in its place after."""
    first = np.zeros(len(which), np.bool_)
    first[np.unique(which, return_index=True)[1]] = True
    return np.where((which < n_prefixes) | first, which, which % n_prefixes)


def _keyed(prefixes: npt.NDArray[np.bytes_], digits: int) -> npt.NDArray[np.bytes_]:
    rest = draw.between(1, "zip", len(prefixes), 0, 10**ZIP_DIGITS - 1).astype("S5")
    rest = np.char.zfill(rest, ZIP_DIGITS)
    keys = prefixes if digits == ZIP_DIGITS else np.char.add(prefixes, rest.astype(f"S{ZIP_DIGITS - digits}"))
    return compose_many("usps-impb", np.arange(len(keys), dtype=np.int64), keys.astype("S5"))


def _plan(table: LaneTable) -> CompiledPlan:
    chains = plain_chains(np.arange(N_LANES + 1, dtype=np.int32), np.arange(N_LANES, dtype=np.uint16))
    return CompiledPlan(
        version=1,
        labels=table,
        listed=np.zeros(0, np.uint64),
        listed_reasons=np.zeros(0, np.uint16),
        **chains._asdict(),
    )
