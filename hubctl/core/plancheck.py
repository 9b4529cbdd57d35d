"""Checks what a sort plan says of itself and of its hub: keys, names, formats, chutes, groups, waves, lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hubctl._lookup import LaneTable
from hubctl.core.chains import BELT_END, DEFAULT, N_CHUTES_OF_LANE_MAX
from hubctl.core.config import Source, nearest
from hubctl.core.events import Reason
from hubctl.core.keys import LABEL, PARTNER, Key, parse_keys
from hubctl.core.lapcheck import EVERY_REASON, check_laps
from hubctl.core.planrules import Rule, note, rules_of
from hubctl.core.shape import known
from hubctl.core.where import Path

if TYPE_CHECKING:
    from hubctl.core.catalogue import Catalogue
    from hubctl.core.hubfile import Hub
    from hubctl.core.plan import Lane, SortPlan

N_WAVES_OF_LANE_MAX = 64
LABEL_MARK = f"{LABEL}:"


def check_plan(plan: SortPlan, source: Source, hub: Hub | None, has_packs: bool = True) -> None:
    """Note every fault of a plan, and of what it says of a hub if that is given.

    Without its packs nothing is said of formats and namespaces, which may be theirs.
    """
    if has_packs and known(plan, "labels") and known(plan.labels, "accept"):
        _check_formats(plan, source)
    _check_keys(plan, source, has_packs)
    _check_names(plan, source)
    _check_groups(plan, source)
    _check_lanes(plan, source)
    _check_waves(plan, source)
    _check_exceptions(plan, source)
    if hub is not None:
        _check_chutes(plan, source, hub)
        check_laps(plan, source, hub)


def _lanes(plan: SortPlan, *keys: str) -> Iterator[tuple[int, Lane]]:
    return ((i, lane) for i, lane in enumerate(getattr(plan, "lanes", ())) if known(lane, *keys))


def _check_formats(plan: SortPlan, source: Source) -> None:
    n_faults = len(source.faults)
    seen: set[str] = set()
    for index, name in enumerate(plan.labels.accept):
        formats = plan.catalogue.accepted([name])
        if not set(formats) <= plan.catalogue.index.keys():
            words = [*plan.catalogue.index, *plan.catalogue.of_pack]
            source.add(("labels", "accept", index), "unknown label format", nearest(name, words))
        elif seen & set(formats):
            source.add(("labels", "accept", index), "is accepted already")
        seen.update(formats)
    for index, name in enumerate(plan.labels.customs if known(plan.labels, "customs") else ()):
        if not set(plan.catalogue.accepted([name])) <= seen:
            source.add(("labels", "customs", index), "is not accepted", nearest(name, plan.labels.accept))
    if len(source.faults) == n_faults:
        _check_forms(plan, source)


def _check_forms(plan: SortPlan, source: Source) -> None:
    try:
        labels = LaneTable(plan.catalogue.compile(plan.labels.accept), [])
    except ValueError as error:
        source.add(("labels", "accept"), str(error), "accept fewer formats", shown="")
        return
    for key in ("intercept", "held"):
        for at, text in enumerate(getattr(getattr(plan, "lists", None), key, ())):
            if labels.resolve(text.encode())[0] == Reason.BAD_LABEL:
                source.add(("lists", key, at), "is no label that the plan accepts", "see labels.accept")
    for rule in rules_of(plan):
        if not rule.text.startswith(LABEL_MARK):
            continue
        if labels.resolve(rule.text.removeprefix(LABEL_MARK).encode())[0] == Reason.BAD_LABEL:
            note(source, rule, "is no label that the plan accepts", "see labels.accept")


def _check_keys(plan: SortPlan, source: Source, has_packs: bool) -> None:
    lanes = {lane.name for _, lane in _lanes(plan, "name")}
    catalogue = plan.catalogue if has_packs else None
    taken: dict[Key, Rule] = {}
    for rule in rules_of(plan):
        if rule.lane is not None and rule.lane not in lanes:
            note(source, rule, f'there is no lane "{rule.lane}"', nearest(rule.lane, lanes))
        try:
            keys = parse_keys(rule.text)
        except ValueError as error:
            note(source, rule, str(error))
            continue
        if catalogue and not _knows(catalogue, source, rule, keys[0]):
            continue
        twice = [key for key in keys if taken.setdefault(key, rule) is not rule]
        if twice:
            first = taken[twice[0]].lane
            owner = "without service" if first is None else f"taken by lane {first}"
            note(source, rule, f"{':'.join(twice[0])} is {owner}", "one destination, one lane")


def _knows(catalogue: Catalogue, source: Source, rule: Rule, key: Key) -> bool:
    """Whether there is such a namespace, and such a partner in it; if not, it is noted."""
    spaces = catalogue.namespaces
    if key.namespace not in spaces:
        note(source, rule, f'unknown namespace "{key.namespace}"', nearest(key.namespace, spaces))
        return False
    if key.namespace != PARTNER:
        return True
    name = key.prefix.partition("/")[0].lower()
    if name not in catalogue.index:
        note(source, rule, f'there is no label format "{name}"', nearest(name, catalogue.index))
    return name in catalogue.index


def _check_names(plan: SortPlan, source: Source) -> None:
    first: dict[str, int] = {}
    for index, lane in _lanes(plan, "name"):
        if first.setdefault(lane.name, index) != index:
            line = source.line(("lanes", first[lane.name], "name"))
            source.add(("lanes", index, "name"), f"is taken (line {line})", "each lane needs its own")


def _group_names(plan: SortPlan) -> list[str]:
    return [group.name for group in getattr(plan, "groups", ()) if known(group, "name")]


def _check_groups(plan: SortPlan, source: Source) -> None:
    first: dict[str, int] = {}
    for index, group in enumerate(getattr(plan, "groups", ())):
        if known(group, "name") and first.setdefault(group.name, index) != index:
            line = source.line(("groups", first[group.name], "name"))
            source.add(("groups", index, "name"), f"is taken (line {line})", "each group needs its own")
        if known(group, "chutes", "weights", "policy"):
            _check_weights(source, index, group)


def _check_weights(source: Source, index: int, group: Any) -> None:
    path = ("groups", index, "weights")
    if group.weights and group.policy != "balance":
        source.add(path, "only a group with the policy balance has weights")
    elif group.weights and len(group.weights) != len(group.chutes):
        source.add(path, f"must have {len(group.chutes)} entries, one a chute")


def _check_lanes(plan: SortPlan, source: Source) -> None:
    for index, lane in _lanes(plan, "name", "chutes", "group"):
        if bool(lane.chutes) == bool(lane.group):
            message = "needs either chutes or a group"
            source.add(("lanes", index, "name"), message, "chutes are tried in their order")
        _check_group(plan, source, ("lanes", index, "group"), lane.group)


def _check_group(plan: SortPlan, source: Source, path: Path, name: str | None) -> None:
    if name is not None and name not in _group_names(plan):
        source.add(path, "there is no such group", nearest(name, _group_names(plan)))


def _check_waves(plan: SortPlan, source: Source) -> None:
    lanes = [lane.name for _, lane in _lanes(plan, "name")]
    n_waves = dict.fromkeys(lanes, 0)
    for index, wave in enumerate(getattr(plan, "waves", ())):
        if known(wave, "lane"):
            if wave.lane not in n_waves:
                source.add(("waves", index, "lane"), "there is no such lane", nearest(wave.lane, lanes))
                continue
            n_waves[wave.lane] += 1
            if n_waves[wave.lane] == N_WAVES_OF_LANE_MAX + 1:
                source.add(("waves", index, "lane"), f"has more than {N_WAVES_OF_LANE_MAX} waves")
        if known(wave, "chutes", "group"):
            if wave.chutes and wave.group:
                source.add(("waves", index, "group"), "must be absent: the wave has chutes")
            _check_group(plan, source, ("waves", index, "group"), wave.group)


def _check_exceptions(plan: SortPlan, source: Source) -> None:
    for reason in getattr(plan, "exceptions", {}):
        if reason != DEFAULT and reason not in EVERY_REASON:
            source.add(("exceptions", reason), "unknown reason", nearest(reason, (DEFAULT, *EVERY_REASON)))


def _check_chutes(plan: SortPlan, source: Source, hub: Hub) -> None:
    names = [chute.name for chute in hub.chutes]
    ends = {belt.end_chute for belt in hub.belts if len(hub.belts) == 1}
    _refuse_exits(plan, source, hub)
    groups = {
        group.name: group.chutes for group in getattr(plan, "groups", ()) if known(group, "name", "chutes")
    }
    for index, group in enumerate(getattr(plan, "groups", ())):
        if known(group, "name") and group.name in (BELT_END, *names):
            source.add(("groups", index, "name"), "is a chute's name", "each group needs its own")
        if known(group, "chutes"):
            _check_run(source, ("groups", index, "chutes"), group.chutes, _Chain(names, ends, {}, "group"))
    for index, lane in _lanes(plan, "chutes", "overflow"):
        _check_chain(source, ("lanes", index), lane, _Chain(names, ends, groups, "lane"))
    for index, wave in enumerate(getattr(plan, "waves", ())):
        if known(wave, "chutes"):
            _check_run(source, ("waves", index, "chutes"), wave.chutes, _Chain(names, ends, {}, "wave"))
    for reason, chute in getattr(plan, "exceptions", {}).items():
        if chute not in (BELT_END, *names, *_group_names(plan)):
            hint = nearest(chute, [*names, *_group_names(plan)])
            source.add(("exceptions", reason), f"hub {hub.name} has no such chute", hint)
    _check_waves_lengths(plan, source, groups)


def _refuse_exits(plan: SortPlan, source: Source, hub: Hub) -> None:
    """No parcel ends where an exit leads on to another belt."""
    to_belts = {chute.name: chute.to_belt for chute in hub.chutes if chute.to_belt is not None}
    for path, name in named_chutes(plan):
        if name in to_belts and name != BELT_END:
            source.add(path, f"leads onto belt {to_belts[name]}", "name a chute beyond it")


def named_chutes(plan: SortPlan) -> Iterator[tuple[Path, str]]:
    """Every chute (or group) that a plan names, and where."""
    for section, key in (
        ("groups", "chutes"),
        ("lanes", "chutes"),
        ("lanes", "overflow"),
        ("waves", "chutes"),
    ):
        for index, entry in enumerate(getattr(plan, section, ())):
            for at, name in enumerate(getattr(entry, key) if known(entry, key) else ()):
                yield (section, index, key, at), name
    for reason, name in getattr(plan, "exceptions", {}).items():
        yield ("exceptions", reason), name


class _Chain:
    """What a chain may name, and what it has named so far."""

    def __init__(self, names: list[str], ends: set[str], groups: dict[str, list[str]], owner: str) -> None:
        self.names = names
        self.ends = ends
        self.groups = groups
        self.owner = owner
        self.seen: set[str] = set()


def _check_chain(source: Source, path: Path, lane: Lane, chain: _Chain) -> None:
    _check_run(source, (*path, "chutes"), lane.chutes, chain)
    n_own = len(lane.chutes)
    if known(lane, "group") and lane.group in chain.groups:
        chain.seen.update(chain.groups[lane.group])
        n_own = len(chain.groups[lane.group])
    _check_run(source, (*path, "overflow"), lane.overflow, chain)
    if n_own + _n_chutes(lane.overflow, chain.groups) > N_CHUTES_OF_LANE_MAX:
        message = f"must have {N_CHUTES_OF_LANE_MAX - n_own} entries or fewer, beside the lane's chutes"
        source.add((*path, "overflow"), message)


def _n_chutes(names: list[str], groups: dict[str, list[str]]) -> int:
    return sum(len(groups.get(name, [name])) for name in names)


def _check_run(source: Source, path: Path, run: list[str], chain: _Chain) -> None:
    """Each name is a chute of the hub or a group, not a belt's end, and there once."""
    for at, name in enumerate(run):
        chutes = chain.groups.get(name, [name])
        if name not in chain.groups and name not in chain.names:
            source.add((*path, at), "the hub has no such chute", nearest(name, chain.names))
        elif name in chain.ends:
            hint = "what is not diverted goes there anyway"
            source.add((*path, at), f"is a belt's end: no {chain.owner} can have it", hint)
        elif chain.seen & set(chutes):
            source.add((*path, at), f"the {chain.owner} has it already")
        chain.seen.update(chutes)


def _check_waves_lengths(plan: SortPlan, source: Source, groups: dict[str, list[str]]) -> None:
    """A wave's own chutes and its lane's overflow are tried for one parcel."""
    overflow = {lane.name: lane.overflow for _, lane in _lanes(plan, "name", "overflow")}
    for index, wave in enumerate(getattr(plan, "waves", ())):
        if not known(wave, "lane", "chutes", "group"):
            continue
        own = groups.get(wave.group or "", wave.chutes)
        n_more = _n_chutes(overflow.get(wave.lane, []), groups)
        if own and len(own) + n_more > N_CHUTES_OF_LANE_MAX:
            message = f"must be {N_CHUTES_OF_LANE_MAX - n_more} or fewer, beside the lane's overflow"
            source.add(("waves", index, "chutes"), message, shown=str(len(own)))
