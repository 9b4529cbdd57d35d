"""Parcels to be: sizes, labels, destinations, and everything that fate will do to each, drawn by a seed.

Without real volumes the figures are ones fitted to them: the largest lane has 5.8 % and the ten largest
41 % of the parcels, and lengths have the quantiles of a catalogue of 32,950 products (median 250 mm,
7.8 % over 600 mm).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.core.hubfile import Belt, Hub
from hubctl.core.labels import compose_many, key_lengths
from hubctl.core.plan import SortPlan, lane_prefixes
from hubctl.core.preadvice import PreAdvice
from hubctl.sim import draw
from hubctl.sim.arrivals import Arrivals, scaled
from hubctl.sim.faults import Faults
from hubctl.sim.matter import MISHAP, READ, Mishap, Outcome, blank_parcels

Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.bytes_]

UM_PER_MM = 1000
NS_PER_S = 1_000_000_000
GAP_MM_MIN = 200  # the induct keeps parcels so far apart
BESIDE_MM_MIN = 150  # room a person leaves beside a parcel put on by hand
HAND_MM = (120, 200)  # length of one put on by hand
TAKEN_FROM_MM = 400  # nobody takes a parcel off before it is on the belt
MARGIN_MM = 50  # nobody puts a parcel closer to an eye than this
LATENCY_MS = (40, 60)  # from the scan line to the telegram
LATE_MS = (200, 2000)  # and so much more when it is late
SLIP_PPM = (-200, 200)
LINK_DOWN_NS = 2_000_000_000  # a dropped link comes back after so long
N_LOOKED_AT = 20  # carriers of a loop at which a person looks for an empty one
N_TURNS_BEFORE = 4  # of a loop, before the first parcel comes: two to be sure of it, one to see every carrier
N_FIRES_DRAWN = 65_521  # fates of fires, used round and round; a prime, so that they fall on no pattern
# Length quantiles at 0, 10, ... 100 %, mm.
LENGTHS_MM = np.array([120, 160, 170, 200, 210, 250, 300, 350, 410, 530, 1050], np.int64)
CARRIES_KEY = {"zip": "usps-impb", "plz": "dp-leitcode"}
CARRIES_NONE = "sf"  # a courier whose labels say nothing of the destination: it must be advised
ADVISED_PER_MILLION = 100_000


class TrafficError(ValueError):
    """No traffic can be made for this hub and plan; the text says why."""


class Traffic(NamedTuple):
    """What will come. Rows of all arrays are parcels in order of entry."""

    parcels: npt.NDArray[Any]  # PARCEL, shape (n,)
    reads: npt.NDArray[Any]  # READ, shape (n, n_scanners)
    labels: Texts  # S56, shape (n,)
    fire_fails: npt.NDArray[np.bool_]
    preadvice: PreAdvice
    seed: int
    note: str
    mishaps: npt.NDArray[Any]  # MISHAP, in order of the parcels that they begin with
    harm_s: int = 0  # faults come for so long from the start, and then
    heal_s: int = 0  # for so long they do not, and so on; 0: always


def rows_of(traffic: Traffic, rows: slice) -> Traffic:
    """The parcels of some rows, and what befalls devices with them."""
    first, behind_last, _ = rows.indices(len(traffic.parcels))
    parcels = traffic.parcels[rows].copy()
    is_there = (traffic.mishaps["parcel"] >= first) & (traffic.mishaps["parcel"] < behind_last)
    mishaps = traffic.mishaps[is_there]
    mishaps["parcel"] -= first
    with_mishap = parcels["mishap"] >= 0
    parcels["mishap"][with_mishap] -= np.searchsorted(traffic.mishaps["parcel"], first)
    parcels["beside"] = np.where(parcels["beside"] >= first, parcels["beside"] - first, -1)
    return traffic._replace(
        parcels=parcels, mishaps=mishaps, reads=traffic.reads[rows], labels=traffic.labels[rows]
    )


def lane_weights(n_lanes: int) -> Ints:
    """How often each lane is drawn: falling as 1 / (rank + 10)."""
    return np.asarray(1_000_000 // (np.arange(n_lanes, dtype=np.int64) + 10))


def _lengths_mm(seed: int, n: int, belt: Belt, real_mm: Ints) -> Ints:
    if len(real_mm):
        lengths = real_mm[draw.between(seed, "length", n, 0, len(real_mm) - 1)]
    else:
        at = draw.between(seed, "length", n, 0, 999)
        low, part = LENGTHS_MM[at // 100], at % 100
        lengths = low + (LENGTHS_MM[at // 100 + 1] - low) * part // 100
    clipped: Ints = np.clip(lengths, belt.parcel_mm_min, belt.parcel_mm_max)
    return clipped


def _starts_um(wanted_um: Ints, lengths_um: Ints) -> Ints:
    """Each parcel as soon as it wants, but clear of the one before by the least gap."""
    taken = np.concatenate([[0], np.cumsum(lengths_um + GAP_MM_MIN * UM_PER_MM)[:-1]])
    starts_um: Ints = np.maximum.accumulate(wanted_um - taken) + taken
    return starts_um


def _even_wants_um(seed: int, n: int, pitch_um: int) -> Ints:
    """Mean pitch as wanted, each spacing from a half to one and a half of it."""
    return np.cumsum(draw.between(seed, "spacing", n, pitch_um // 2, pitch_um * 3 // 2))


class _Keys(NamedTuple):
    """The keys of each lane, flat: lane i has entries first[i] to first[i + 1]."""

    first: Ints
    namespaces: list[str]
    prefixes: list[str]


def _keys(plan: SortPlan) -> _Keys:
    usable = [row for row in lane_prefixes(plan) if row[0] in CARRIES_KEY]
    usable.sort(key=lambda row: row[2])
    counts = np.bincount([row[2] for row in usable], minlength=len(plan.lanes))
    first = np.concatenate([[0], np.cumsum(counts)])
    return _Keys(first, [row[0] for row in usable], [row[1] for row in usable])


def lanes_with_labels(plan: SortPlan) -> Ints:
    """Lanes whose keys the generator can put on a label, shape (k,)."""
    return np.flatnonzero(np.diff(_keys(plan).first))


def _full_keys(seed: int, plan: SortPlan, lanes: Ints) -> tuple[Texts, Texts]:
    """A namespace and a full key of its lane for each parcel."""
    keys = _keys(plan)
    span = np.maximum(keys.first[lanes + 1] - keys.first[lanes], 1)
    picks = keys.first[lanes] + draw.between(seed, "key", len(lanes), 0, 2**40) % span
    namespaces = np.array(keys.namespaces, "S8")[picks]
    digits = np.char.zfill(draw.between(seed, "digits", len(lanes), 0, 99_999).astype("S5"), 5)
    prefixes = np.array(keys.prefixes, "S8")[picks]
    n_prefix = np.char.str_len(prefixes)
    full = np.array([b""] * len(lanes), "S8")
    for n in np.unique(n_prefix):
        rows = n_prefix == n
        full[rows] = np.char.add(prefixes[rows], digits[rows].astype("S5").astype(f"S{max(5 - n, 1)}"))
        if n >= 5:
            full[rows] = prefixes[rows]
    return namespaces, full


def _labels(seed: int, plan: SortPlan, lanes: Ints) -> tuple[Texts, PreAdvice]:
    """A valid label for each parcel; every tenth carries no destination and is advised instead."""
    n = len(lanes)
    namespaces, keys = _full_keys(seed, plan, lanes)
    labels = np.zeros(n, "S56")
    serials = np.arange(n, dtype=np.int64) + seed % 1000 * 1_000_000
    advised = draw.happens(seed, "advised", n, ADVISED_PER_MILLION)
    advised &= CARRIES_NONE in plan.labels.accept
    for namespace, form in CARRIES_KEY.items():
        rows = (namespaces == namespace.encode()) & ~advised
        length = key_lengths(form)
        assert length is not None
        labels[rows] = compose_many(form, serials[rows] % 100_000, keys[rows].astype(f"S{length[1]}"))
    labels[advised] = compose_many(CARRIES_NONE, serials[advised])
    advice = np.char.add(np.char.add(namespaces[advised], b":"), keys[advised]).astype("S56")
    return labels, PreAdvice(labels[advised], advice)


def _reads(seed: int, n: int, n_scanners: int, faults: Faults) -> npt.NDArray[Any]:
    """What each scanner will make of each label, and how long its telegram takes."""
    reads = np.zeros((n, n_scanners), READ)
    nobody = draw.happens(seed, "no_read", n, faults.no_read)
    for k in range(n_scanners):
        misses = nobody | draw.happens(seed, f"missed_side{k}", n, faults.missed_side)
        doubled = draw.happens(seed, f"doubled{k}", n, faults.doubled_read)
        late = draw.happens(seed, f"late{k}", n, faults.late_read)
        outcome = np.where(doubled, Outcome.DOUBLED, Outcome.READ)
        reads["outcome"][:, k] = np.where(misses, Outcome.NO_READ, outcome)
        delay = draw.between(seed, f"latency{k}", n, *LATENCY_MS)
        reads["delay_ms"][:, k] = delay + late * draw.between(seed, f"lateness{k}", n, *LATE_MS)
    return reads


def _hand_places_mm(seed: int, n: int, hub: Hub, belt: Belt) -> Ints:
    """Where a person puts a parcel on: clear of every eye, before the last."""
    eyes = [eye.at_mm for eye in hub.eyes if eye.belt == belt.name]
    margin = HAND_MM[1] + MARGIN_MM
    places = np.arange(min(eyes) + margin, max(eyes) - MARGIN_MM, 10)
    for eye in eyes:
        places = places[(places < eye - MARGIN_MM) | (places > eye + margin)]
    return places[draw.between(seed, "put_place", n, 0, len(places) - 1)]


def _put_on(seed: int, hub: Hub, belt: Belt, parcels: npt.NDArray[Any], faults: Faults) -> npt.NDArray[Any]:
    """Parcels put by hand into gaps that have room for them: as many as the chance says, where they fit."""
    n = len(parcels)
    gaps = np.diff(parcels["start_um"]) - parcels["length_um"][:-1]
    lengths = draw.between(seed, "put_length", n, *HAND_MM)[:-1] * UM_PER_MM
    fits = gaps >= lengths + 2 * BESIDE_MM_MIN * UM_PER_MM
    chance = min(faults.put_on * n // max(int(fits.sum()), 1), 1_000_000)
    rows = np.flatnonzero(fits & draw.happens(seed, "put_on", n, chance)[:-1])
    put = blank_parcels(len(rows))
    put["length_um"] = lengths[rows]
    free = gaps[rows] - lengths[rows]
    put["start_um"] = parcels["start_um"][rows] + parcels["length_um"][rows] + free // 2
    put["put_um"] = _hand_places_mm(seed, n, hub, belt)[rows] * UM_PER_MM
    put["label_um"] = put["length_um"] // 2
    put["lane"] = parcels["lane"][rows]
    put["slip_ppm"] = parcels["slip_ppm"][rows]
    return put


def _runs_mm(hub: Hub, plan: SortPlan) -> Ints:
    """How far a parcel of each lane runs: to the diverter of its first chute."""
    at_mm = {diverter.name: diverter.at_mm for diverter in hub.diverters}
    of_chute = {chute.name: at_mm[chute.diverter] for chute in hub.chutes if chute.diverter is not None}
    return np.array([of_chute[plan.chutes_of(lane)[0]] for lane in plan.lanes], np.int64)


def _inducted(
    seed: int, run_mm: Ints, starts_um: Ints, lengths_mm: Ints, lanes: Ints, faults: Faults
) -> npt.NDArray[Any]:
    n = len(starts_um)
    parcels = blank_parcels(n)
    parcels["start_um"] = starts_um
    parcels["length_um"] = lengths_mm * UM_PER_MM
    parcels["label_um"] = parcels["length_um"] * draw.between(seed, "label_place", n, 200, 800) // 1000
    parcels["gap_um"] = GAP_MM_MIN * UM_PER_MM
    off = draw.happens(seed, "taken_off", n, faults.taken_off)
    way_mm = np.maximum(run_mm - TAKEN_FROM_MM, 1)
    place_mm = TAKEN_FROM_MM + draw.between(seed, "taken_place", n, 0, 999) * way_mm // 1000
    parcels["removed_um"] = np.where(off, place_mm * UM_PER_MM, -1)
    parcels["slip_ppm"] = draw.between(seed, "slip", n, *SLIP_PPM)
    parcels["lane"] = lanes
    parcels["fills_chute"] = draw.happens(seed, "chute_full", n, faults.chute_full)
    return parcels


def _entries_um(parcels: npt.NDArray[Any]) -> Ints:
    """Belt travel at which each parcel comes: at 0 mm, or where a person puts it, slip included."""
    put_um = np.maximum(parcels["put_um"], 0)
    entries: Ints = parcels["start_um"] + put_um + put_um * parcels["slip_ppm"] // 1_000_000
    return entries


def _mishaps(seed: int, hub: Hub, parcels: npt.NDArray[Any], faults: Faults) -> npt.NDArray[Any]:
    """What befalls devices as parcels are inducted; each parcel's row learns of its first."""
    n = len(parcels)
    drops = draw.happens(seed, "link_drop", n, faults.link_drop) & (parcels["put_um"] < 0)
    rows = np.flatnonzero(drops)
    mishaps = np.zeros(len(rows), MISHAP)
    mishaps["parcel"] = rows
    mishaps["kind"] = Mishap.LINK_DROP
    mishaps["device"] = draw.between(seed, "which_link", n, 0, len(hub.links) - 1)[rows]
    mishaps["for_ns"] = LINK_DOWN_NS
    parcels["mishap"][rows] = np.arange(len(rows))
    return mishaps


class _Wants(NamedTuple):
    wanted_um: Ints
    lanes: Ints
    lengths_mm: Ints
    note: str


def _generated(seed: int, plan: SortPlan, belt: Belt, n: int, parcels_per_hour: int) -> _Wants:
    usable = lanes_with_labels(plan)
    lanes = usable[draw.weighted(seed, "lane", n, lane_weights(len(plan.lanes))[usable])]
    pitch_um = belt.speed_mm_s * UM_PER_MM * 3600 // parcels_per_hour
    lengths_mm = _lengths_mm(seed, n, belt, np.zeros(0, np.int64))
    return _Wants(_even_wants_um(seed, n, pitch_um), lanes, lengths_mm, "generated traffic")


def _recorded(
    seed: int,
    plan: SortPlan,
    belt: Belt,
    n: int | None,
    parcels_per_hour: int,
    arrivals: Arrivals,
    live: bool,
) -> _Wants:
    demand = scaled(arrivals, parcels_per_hour, n, live)
    usable = lanes_with_labels(plan)
    lanes = usable[demand.dest % len(usable)]
    wanted_um = demand.wanted_ns // 1_000_000 * belt.speed_mm_s
    lengths_mm = _lengths_mm(seed, len(lanes), belt, arrivals.lengths_mm)
    share = len(demand.dest) * 100 / max(int(arrivals.volumes.sum()), 1)
    note = (
        f"{arrivals.note}; scaled so that the busiest ten minutes are {parcels_per_hour:,} parcels/h on this belt "
        f"({share:.1f} % of the day); destinations mapped onto {len(usable)} lanes, labels generated"
    )
    return _Wants(wanted_um, lanes, lengths_mm, note)


def _on_loop(seed: int, hub: Hub, plan: SortPlan, wants: _Wants, faults: Faults) -> npt.NDArray[Any]:
    """The same for a loop: parcels come to its inductions, and by hand onto carriers beyond them."""
    belt, n = hub.belts[0], len(wants.lanes)
    inductions_mm = np.array(sorted(eye.at_mm for eye in hub.eyes if eye.role == "induct"), np.int64)
    source = draw.between(seed, "induction", n, 0, len(inductions_mm) - 1)
    at_mm = inductions_mm[source]
    way_mm = (_runs_mm(hub, plan)[wants.lanes] - at_mm) % belt.length_mm
    starts_um = wants.wanted_um + (N_TURNS_BEFORE * belt.length_mm - at_mm) * UM_PER_MM
    parcels = _inducted(seed, way_mm, starts_um, wants.lengths_mm, wants.lanes, faults)
    parcels["source"] = source
    return np.concatenate([parcels, _laid_on(seed, hub, parcels, faults)])


def _laid_on(seed: int, hub: Hub, parcels: npt.NDArray[Any], faults: Faults) -> npt.NDArray[Any]:
    """Parcels that a person lays onto carriers of a loop, where none is inducted."""
    rows = np.flatnonzero(draw.happens(seed, "put_on", len(parcels), faults.put_on))
    places_mm = _lay_places_mm(hub)
    laid = blank_parcels(len(rows))
    laid["length_um"] = draw.between(seed, "put_length", len(parcels), *HAND_MM)[rows] * UM_PER_MM
    laid["put_um"] = (
        places_mm[draw.between(seed, "put_place", len(parcels), 0, len(places_mm) - 1)[rows]] * UM_PER_MM
    )
    laid["start_um"] = parcels["start_um"][rows]
    laid["label_um"] = laid["length_um"] // 2
    laid["lane"] = parcels["lane"][rows]
    return laid


def _lay_places_mm(hub: Hub) -> Ints:
    """Places on the first belt, a loop, from where a load eye is passed before an induction.

    So far before that eye that the carriers down the ring at which a person looks are before it too.
    """
    eyes = sorted((eye.at_mm, eye.role) for eye in hub.eyes if eye.role in ("induct", "load"))
    length_mm, carriers = hub.belts[0].length_mm, hub.belts[0].carriers
    assert carriers is not None
    spare_mm, room_mm = 4 * carriers.pitch_mm, (N_LOOKED_AT + 4) * carriers.pitch_mm
    spans = [
        np.arange(at_mm + spare_mm, (beyond_mm - at_mm) % length_mm + at_mm - room_mm, 100) % length_mm
        for (at_mm, _), (beyond_mm, role) in zip(eyes, [*eyes[1:], eyes[0]], strict=True)
        if role == "load" and (beyond_mm - at_mm) % length_mm > spare_mm + room_mm
    ]
    return np.concatenate(spans)


def _refuse_unfit(belt: Belt, plan: SortPlan) -> None:
    if belt.kind == "station":
        raise TrafficError(f"belt {belt.name} is a station: the simulated hub runs lines and loops")
    if len(lanes_with_labels(plan)) == 0:
        raise TrafficError(f"plan {plan.name} has no key of {' or '.join(CARRIES_KEY)} to put on a label")


def make_traffic(
    hub: Hub,
    plan: SortPlan,
    *,
    seed: int,
    n: int | None,
    parcels_per_hour: int,
    faults: Faults,
    arrivals: Arrivals | None = None,
    live: bool = False,
) -> Traffic:
    """Everything that will come onto the hub's first belt.

    Parameters
    ----------
    n : int or None
        Parcels to induct; None, with `arrivals`, for the whole day.
    parcels_per_hour : int
        Mean rate; with `arrivals` that of the busiest ten minutes.
    live : bool
        With `arrivals`: begin at the busiest ten minutes of the day.

    Raises
    ------
    TrafficError
        The belt is not a line, or no label can carry a key of the plan.
    """
    belt = hub.belts[0]
    _refuse_unfit(belt, plan)
    if arrivals is None:
        assert n is not None, "generated traffic needs a number of parcels"
        wants = _generated(seed, plan, belt, n, parcels_per_hour)
    else:
        wants = _recorded(seed, plan, belt, n, parcels_per_hour, arrivals, live)
    if belt.kind == "loop":
        parcels = _on_loop(seed, hub, plan, wants, faults)
    else:
        starts_um = _starts_um(wants.wanted_um, wants.lengths_mm * UM_PER_MM)
        inducted = _inducted(
            seed, _runs_mm(hub, plan)[wants.lanes], starts_um, wants.lengths_mm, wants.lanes, faults
        )
        parcels = np.concatenate([inducted, _put_on(seed, hub, belt, inducted, faults)])
    parcels = parcels[np.argsort(_entries_um(parcels), kind="stable")]
    labels, preadvice = _labels(seed, plan, parcels["lane"].astype(np.int64))
    return Traffic(
        parcels=parcels,
        reads=_reads(seed, len(parcels), len(hub.scanners), faults),
        labels=labels,
        fire_fails=draw.happens(seed, "divert_fails", N_FIRES_DRAWN, faults.divert_fails),
        preadvice=preadvice,
        seed=seed,
        note=wants.note,
        mishaps=_mishaps(seed, hub, parcels, faults),
    )
