"""Parcels to be: sizes, labels, destinations, and everything that fate will do to each, drawn by a seed.

Without real volumes the figures are ones fitted to them: the largest lane has 5.8 % and the ten largest
41 % of the parcels, and lengths have the quantiles of a catalogue of 32,950 products (median 250 mm,
7.8 % over 600 mm).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.core.hubfile import Belt, Hub
from hubctl.core.labels import compose_many, key_lengths
from hubctl.core.layout import eyes_in_order
from hubctl.core.plan import SortPlan, lane_prefixes
from hubctl.core.preadvice import PreAdvice
from hubctl.sim import draw
from hubctl.sim.arrivals import Arrivals, scaled
from hubctl.sim.befall import draw_mishaps
from hubctl.sim.fates import (
    draw_beside_um,
    draw_fates,
    draw_gaps_um,
    draw_lengths_mm,
    draw_reads,
    is_harm,
    mark,
    mark_reads,
)
from hubctl.sim.faults import Faults
from hubctl.sim.matter import WriteFate, blank_parcels

Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.bytes_]
Bools = npt.NDArray[np.bool_]

UM_PER_MM = 1000
NS_PER_S = 1_000_000_000
GAP_MM_MIN = 200  # the induct keeps parcels so far apart
BESIDE_MM_MIN = 150  # room a person leaves beside a parcel put on by hand
HAND_MM = (120, 200)  # length of one put on by hand
MARGIN_MM = 50  # nobody puts a parcel closer to an eye than this
ROLES_ON_BELT = ("induct", "track", "end")
SAME_AS = (1, 20)  # so many parcels before it came the one whose label it carries
SEED_OF_INDUCT = 1_000_003  # between the seeds of two inducts
N_LOOKED_AT = 20  # carriers of a loop at which a person looks for an empty one
N_TURNS_BEFORE = 4  # of a loop, before the first parcel comes: two to be sure of it, one to see every carrier
BETWEEN = (25, 50)  # per cent of a pitch that a parcel comes down behind its carrier's middle
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
    others: Texts  # S56, shape (n,): the other label of those that carry one
    write_fates: Ints  # WriteFate of the k-th write of an output
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
        parcels=parcels,
        mishaps=mishaps,
        reads=traffic.reads[rows],
        labels=traffic.labels[rows],
        others=traffic.others[rows],
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


def _starts_um(wanted_um: Ints, lengths_um: Ints, gaps_um: Ints, beside_um: Ints) -> Ints:
    """Each parcel as soon as it wants, but clear of the one before by the least gap.

    One that comes closer than that, or beside the one before it (`beside_um` from 0 on), comes along with it.
    """
    n = len(wanted_um)
    is_close = (gaps_um < GAP_MM_MIN * UM_PER_MM) | (beside_um >= 0)
    is_close[:1] = False
    steps = np.where(beside_um >= 0, beside_um, np.roll(lengths_um, 1) + gaps_um)
    run = np.cumsum(np.where(is_close, steps, 0))
    firsts = np.flatnonzero(~is_close)
    group = np.cumsum(~is_close) - 1
    offsets = run - run[firsts][group]
    extents = np.maximum.reduceat(offsets + lengths_um, firsts) if n else lengths_um
    starts_um: Ints = _kept_apart_um(wanted_um[firsts], extents)[group] + offsets
    return starts_um


def _kept_apart_um(wanted_um: Ints, lengths_um: Ints) -> Ints:
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


class _Labelled(NamedTuple):
    labels: Texts
    others: Texts
    preadvice: PreAdvice


def _label_all(seed: int, plan: SortPlan, parcels: npt.NDArray[Any], may: Bools, faults: Faults) -> _Labelled:
    """What each parcel carries: a label, perhaps another one, perhaps that of one shortly before it."""
    n = len(parcels)
    labels, preadvice = _labels(seed, plan, parcels["lane"].astype(np.int64))
    others = np.zeros(n, "S56")
    rows = np.flatnonzero(draw.happens(seed, "two_labels", n, faults.two_labels) & may)
    if len(rows):
        usable = lanes_with_labels(plan)
        lanes = usable[draw.between(seed, "other_lane", n, 0, len(usable) - 1)[rows]]
        others[rows], advice = _labels(-1 - seed, plan, lanes)
        parcels["other_lane"][rows] = lanes
        preadvice = PreAdvice(*(np.concatenate(pair) for pair in zip(preadvice, advice, strict=True)))
    same = draw.happens(seed, "same_label", n, faults.same_label) & may
    before = np.arange(n) - draw.between(seed, "same_as", n, *SAME_AS)
    rows = np.flatnonzero(same & (before >= 0))
    mark(parcels, "same_label", same & (before >= 0))
    for row in rows:
        labels[row] = labels[before[row]]
        parcels["lane"][row] = parcels["lane"][before[row]]
    return _Labelled(labels, others, preadvice)


def _hand_places_mm(hub: Hub, belt: Belt) -> Ints:
    """Where a person puts a parcel on: clear of every eye, before the last."""
    eyes = [eye.at_mm for eye in hub.eyes if eye.belt == belt.name and eye.role in ROLES_ON_BELT]
    margin = HAND_MM[1] + MARGIN_MM
    places = np.arange(min(eyes) + margin, max(eyes) - MARGIN_MM, 10)
    for eye in eyes:
        places = places[(places < eye - MARGIN_MM) | (places > eye + margin)]
    return places


def _put_on(
    seed: int, hub: Hub, belt: Belt, parcels: npt.NDArray[Any], may: Bools, faults: Faults
) -> npt.NDArray[Any]:
    """Parcels put by hand into gaps that have room for them: as many as the chance says, where they fit."""
    n = len(parcels)
    gaps = np.diff(parcels["start_um"]) - parcels["length_um"][:-1]
    lengths = draw.between(seed, "put_length", n, *HAND_MM)[:-1] * UM_PER_MM
    fits = gaps >= lengths + 2 * BESIDE_MM_MIN * UM_PER_MM
    places_mm = _hand_places_mm(hub, belt)
    if len(places_mm) == 0:
        return blank_parcels(0)
    chance = min(faults.put_on * n // max(int(fits.sum()), 1), 1_000_000)
    rows = np.flatnonzero(fits & may[:-1] & draw.happens(seed, "put_on", n, chance)[:-1])
    put = blank_parcels(len(rows))
    put["length_um"] = lengths[rows]
    free = gaps[rows] - lengths[rows]
    put["start_um"] = parcels["start_um"][rows] + parcels["length_um"][rows] + free // 2
    put["put_um"] = places_mm[draw.between(seed, "put_place", n, 0, len(places_mm) - 1)][rows] * UM_PER_MM
    put["label_um"] = put["length_um"] // 2
    put["lane"] = parcels["lane"][rows]
    put["slip_ppm"] = parcels["slip_ppm"][rows]
    put["belt"] = [each.name for each in hub.belts].index(belt.name)
    put["source"] = parcels["source"][rows]
    return put


def _runs_mm(hub: Hub, plan: SortPlan, belt: Belt) -> Ints:
    """How far a parcel of each lane runs on a belt: to the diverter of its first chute, or to the end."""
    at_mm = {d.name: d.at_mm for d in hub.diverters if d.belt == belt.name}
    of_chute = {chute.name: at_mm.get(chute.diverter or "", belt.length_mm) for chute in hub.chutes}
    return np.array([of_chute[plan.chutes_of(lane)[0]] for lane in plan.lanes], np.int64)


class _Wants(NamedTuple):
    wanted_um: Ints
    lanes: Ints
    lengths_mm: Ints
    note: str

    def wanted_ns(self, belt: Belt) -> Ints:
        """When each wants to come; `wanted_um` is travel of this belt."""
        return self.wanted_um // belt.speed_mm_s * NS_PER_S // UM_PER_MM

    def of(self, rows: Bools) -> _Wants:
        """Those of some parcels."""
        return _Wants(self.wanted_um[rows], self.lanes[rows], self.lengths_mm[rows], self.note)


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


def _refuse_unfit(hub: Hub, plan: SortPlan) -> None:
    for belt in hub.belts:
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
    harm_s: int = 0,
    heal_s: int = 0,
) -> Traffic:
    """Everything that will come by the inducts of a hub.

    Parameters
    ----------
    n : int or None
        Parcels to induct; None, with `arrivals`, for the whole day.
    parcels_per_hour : int
        Mean rate of all inducts together; with `arrivals` that of the busiest ten minutes.
    live : bool
        With `arrivals`: begin at the busiest ten minutes of the day.
    harm_s, heal_s : int
        Faults begin for so long from the start, then for so long they do not, and so on; both 0: always.

    Raises
    ------
    TrafficError
        A belt is a station, or no label can carry a key of the plan.
    """
    _refuse_unfit(hub, plan)
    if arrivals is None:
        assert n is not None, "generated traffic needs a number of parcels"
        wants = _generated(seed, plan, hub.belts[0], n, parcels_per_hour)
    else:
        wants = _recorded(seed, plan, hub.belts[0], n, parcels_per_hour, arrivals, live)
    season = _Season(faults, harm_s, heal_s)
    parcels = _in_order(hub, _all_that_come(seed, hub, plan, wants, season))
    may = season.may(_entries_ns(hub, parcels))
    labelled = _label_all(seed, plan, parcels, may, faults)
    own = parcels["put_um"] < 0
    reads = draw_reads(seed, hub, may, parcels["other_lane"] >= 0, faults)
    mark_reads(parcels, reads, hub)
    return Traffic(
        parcels=parcels,
        reads=reads,
        labels=labelled.labels,
        fire_fails=draw.happens(seed, "divert_fails", N_FIRES_DRAWN, faults.divert_fails),
        preadvice=labelled.preadvice,
        seed=seed,
        note=wants.note,
        mishaps=draw_mishaps(
            seed, hub, parcels, _first_chutes(hub, plan)[parcels["lane"]], may & own, faults
        ),
        others=labelled.others,
        write_fates=_write_fates(seed, faults),
        harm_s=harm_s,
        heal_s=heal_s,
    )


def _all_that_come(seed: int, hub: Hub, plan: SortPlan, wants: _Wants, season: _Season) -> npt.NDArray[Any]:
    """Parcels of all inducts, in no order."""
    if hub.belts[0].kind == "loop":
        return _on_loop(seed, hub, plan, wants, season)
    inducts = _belts_of_inducts(hub)
    sources = draw.between(seed, "induct", len(wants.lanes), 0, len(inducts) - 1)
    made = [
        _come_by(seed, hub, plan, belt, k, wants.of(sources == k), season) for k, belt in enumerate(inducts)
    ]
    return np.concatenate(made)


class _Season(NamedTuple):
    """Faults, and when they come."""

    faults: Faults
    harm_s: int
    heal_s: int

    def may(self, t_ns: Ints) -> Bools:
        """Whether faults come at a time, shape (n,)."""
        return is_harm(t_ns, self.harm_s, self.heal_s)


def _belts_of_inducts(hub: Hub) -> list[Belt]:
    """The belt of each induct eye, in the order of the eyes."""
    belts = {belt.name: belt for belt in hub.belts}
    return [belts[eye.belt] for eye in eyes_in_order(hub) if eye.role == "induct"]


def _come_by(
    seed: int, hub: Hub, plan: SortPlan, belt: Belt, source: int, wants: _Wants, season: _Season
) -> npt.NDArray[Any]:
    """The parcels that come by one induct, and those put on by hand between them."""
    seed += source * SEED_OF_INDUCT
    faults, n = season.faults, len(wants.lanes)
    may = season.may(wants.wanted_ns(hub.belts[0]))
    wanted_um = wants.wanted_um * belt.speed_mm_s // hub.belts[0].speed_mm_s
    lengths_um = draw_lengths_mm(seed, belt, wants.lengths_mm, may, faults) * UM_PER_MM
    gaps_um = draw_gaps_um(seed, may, GAP_MM_MIN, faults)
    beside_um = draw_beside_um(seed, may, faults)
    parcels = _blank(seed, wants, _starts_um(wanted_um, lengths_um, gaps_um, beside_um), lengths_um)
    parcels["gap_um"] = gaps_um
    mark(parcels, "touching", gaps_um < 0)
    mark(parcels, "gap_small", (gaps_um >= 0) & (gaps_um < GAP_MM_MIN * UM_PER_MM))
    mark(parcels, "oversize", lengths_um != wants.lengths_mm * UM_PER_MM)
    mark(parcels, "side_by_side", (beside_um >= 0) & (np.arange(n) > 0))
    parcels["beside"][1:] = np.where(beside_um[1:] >= 0, np.arange(n - 1), -1)
    parcels["source"] = source
    draw_fates(seed, hub, belt, _runs_mm(hub, plan, belt)[wants.lanes], may, parcels, faults)
    if faults.put_on == 0:
        return parcels
    return np.concatenate([parcels, _put_on(seed, hub, belt, parcels, may, faults)])


def _blank(seed: int, wants: _Wants, starts_um: Ints, lengths_um: Ints) -> npt.NDArray[Any]:
    """Parcels whose fate is still to be drawn."""
    parcels = blank_parcels(len(wants.lanes))
    parcels["start_um"] = starts_um
    parcels["length_um"] = lengths_um
    parcels["label_um"] = lengths_um * draw.between(seed, "label_place", len(parcels), 200, 800) // 1000
    parcels["gap_um"] = GAP_MM_MIN * UM_PER_MM
    parcels["lane"] = wants.lanes
    return parcels


def _on_loop(seed: int, hub: Hub, plan: SortPlan, wants: _Wants, season: _Season) -> npt.NDArray[Any]:
    """The same for a loop: parcels come to its inductions, and by hand onto carriers beyond them."""
    belt, n, faults = hub.belts[0], len(wants.lanes), replace(season.faults, slip=0, jam=0)
    may = season.may(wants.wanted_ns(belt))
    inductions_mm = np.array(sorted(eye.at_mm for eye in hub.eyes if eye.role == "induct"), np.int64)
    source = draw.between(seed, "induction", n, 0, len(inductions_mm) - 1)
    at_mm = inductions_mm[source]
    lengths_um = draw_lengths_mm(seed, belt, wants.lengths_mm, may, faults) * UM_PER_MM
    starts_um = wants.wanted_um + (N_TURNS_BEFORE * belt.length_mm - at_mm) * UM_PER_MM
    parcels = _blank(seed, wants, starts_um, lengths_um)
    parcels["source"] = source
    way_mm = (_runs_mm(hub, plan, belt)[wants.lanes] - at_mm) % belt.length_mm
    draw_fates(seed, hub, belt, way_mm, may, parcels, faults)
    _draw_between_carriers(seed, belt, parcels, may, faults)
    return np.concatenate([parcels, _laid_on(seed, hub, parcels, may, faults)])


def _draw_between_carriers(
    seed: int, belt: Belt, parcels: npt.NDArray[Any], may: Bools, faults: Faults
) -> None:
    """Some come down so far behind their carrier's middle that they lie on the next one too."""
    n, carriers = len(parcels), belt.carriers
    assert carriers is not None
    between = draw.happens(seed, "two_carriers", n, faults.two_carriers) & may
    mark(parcels, "two_carriers", between)
    by_mm = carriers.pitch_mm * draw.between(seed, "between_carriers", n, *BETWEEN) // 100
    parcels["slip_um"] = between * by_mm * UM_PER_MM


def _laid_on(seed: int, hub: Hub, parcels: npt.NDArray[Any], may: Bools, faults: Faults) -> npt.NDArray[Any]:
    """Parcels that a person lays onto carriers of a loop, where none is inducted."""
    places_mm = _lay_places_mm(hub)
    chance = faults.put_on if len(places_mm) else 0
    rows = np.flatnonzero(may & draw.happens(seed, "put_on", len(parcels), chance))
    laid = blank_parcels(len(rows))
    laid["length_um"] = draw.between(seed, "put_length", len(parcels), *HAND_MM)[rows] * UM_PER_MM
    laid["put_um"] = (
        places_mm[draw.between(seed, "put_place", len(parcels), 0, max(len(places_mm) - 1, 0))[rows]]
        * UM_PER_MM
    )
    laid["start_um"] = parcels["start_um"][rows]
    laid["label_um"] = laid["length_um"] // 2
    laid["lane"] = parcels["lane"][rows]
    laid["source"] = parcels["source"][rows]
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
    return np.concatenate([np.zeros(0, np.int64), *spans])


def _entries_ns(hub: Hub, parcels: npt.NDArray[Any]) -> Ints:
    """When each parcel comes if every belt runs as designed: at its induct, or where a person puts it."""
    put_um = np.maximum(parcels["put_um"], 0)
    entries_um = parcels["start_um"] + put_um + put_um * parcels["slip_ppm"] // 1_000_000
    speeds_mm_s = np.array([belt.speed_mm_s for belt in _belts_of_inducts(hub)], np.int64)
    entries_ns: Ints = entries_um * 1_000_000 // speeds_mm_s[parcels["source"]]
    return entries_ns


def _in_order(hub: Hub, parcels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """In order of entry. Who lies beside whom is said by row of the one induct until then."""
    rows = np.arange(len(parcels))
    own = np.flatnonzero(parcels["beside"] >= 0)
    neighbour = own - 1  # they follow each other at their induct
    order = np.argsort(_entries_ns(hub, parcels), kind="stable")
    place = np.empty(len(parcels), np.int64)
    place[order] = rows
    parcels["beside"][own] = place[neighbour]
    return parcels[order]


def _first_chutes(hub: Hub, plan: SortPlan) -> Ints:
    """The first chute of each lane, shape (n_lanes,)."""
    index = {chute.name: k for k, chute in enumerate(hub.chutes)}
    return np.array([index[plan.chutes_of(lane)[0]] for lane in plan.lanes], np.int64)


def _write_fates(seed: int, faults: Faults) -> npt.NDArray[np.int64]:
    """What becomes of the k-th write of an output, as WriteFate."""
    lost = draw.happens(seed, "write_lost", N_FIRES_DRAWN, faults.write_lost)
    refused = draw.happens(seed, "write_refused", N_FIRES_DRAWN, faults.write_refused)
    how = draw.between(seed, "write_refused how", N_FIRES_DRAWN, WriteFate.NODE_DOWN, WriteFate.MISSED)
    return np.where(lost, WriteFate.LOST, np.where(refused, how, WriteFate.DONE))
