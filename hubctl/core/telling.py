"""What a person tells a running hub in words, as the input that the kernel takes: `chute C12 closed`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hubctl.core.config import nearest
from hubctl.core.events import TEXT_MAX, ChuteState, Kind, MachineCommand, Reason, Records, empty
from hubctl.core.layout import HubNames

PARCEL_MAX = 2**63 - 1
QUESTION_MAX = 2**32 - 1
CHUTE_WORDS = {
    state.name.lower(): state
    for state in ChuteState
    if state not in (ChuteState.NEARLY_FULL, ChuteState.FULL)
}
MACHINE_WORDS = {command.name.lower(): command for command in MachineCommand}
NOWHERE_WORDS = {
    "not-found": Reason.NOT_FOUND,
    "no-data": Reason.NO_DATA,
    "intercept": Reason.INTERCEPT,
    "hold": Reason.HELD,
}
QUESTIONS = (
    "questions"  # not told to the kernel: whoever says it is told what the host is asked, from then on
)
USAGE = {
    "chute": "chute NAME " + "|".join(CHUTE_WORDS),
    "code": "code PARCEL LABEL",
    "change": "change PARCEL CHUTE",
    "send": "send PARCEL LANE",
    "intercept": "intercept LABEL",
    "hold": "hold LABEL",
    "release": "release LABEL",
    "off": "off PARCEL",
    "diverter": "diverter NAME in|out",
    "eye": "eye NAME well|bad",
    "node": "node NAME clear",
    "machine": "machine " + "|".join(MACHINE_WORDS),
    "answer": "answer QUESTION lane|chute NAME, answer QUESTION " + "|".join(NOWHERE_WORDS),
    QUESTIONS: QUESTIONS,
}
# Not told to the kernel either: what the daemon's plan desk does.
EXPIRES = "expires="
DESK_USAGE = {
    "plan": "plan activate FILE, plan rollback",
    "advise": f"advise LABEL KEY [advised|cleared|held|seized] [{EXPIRES}DATE], advise FILE [{EXPIRES}DATE]",
    "forget": "forget LABEL",
}


class TellError(ValueError):
    """Words that say nothing this hub understands; the text says what would."""


class LaneNames(NamedTuple):
    """The lanes of the plan of now, by index, and its version."""

    lanes: tuple[str, ...]
    version: int


NO_LANES = LaneNames((), 0)


class Wish(NamedTuple):
    """Inputs to be told, and which record answers them."""

    inputs: Records
    answer: Kind | None  # None: the kernel says nothing back


def wish_of(words: Sequence[str], names: HubNames, seq: int, lanes: LaneNames = NO_LANES) -> Wish:
    """The inputs that some words mean.

    Parameters
    ----------
    words : sequence of str
        Like `["chute", "C12", "closed"]`; `USAGE` has them all.
    names : HubNames
        Of the running hub.
    seq : int
        Number of this wish, 1 to 2**32 - 1: its answer carries it.
    lanes : LaneNames
        Of the plan of now.

    Raises
    ------
    TellError
        An unknown word, name or state, or a number that none can be.
    """
    if not words or words[0] not in USAGE:
        raise TellError(_unknown("word", words[0] if words else "", list(USAGE)))
    if words[0] == "answer":
        return _answer(list(words[1:]), names, lanes)
    if len(words) != len(USAGE[words[0]].split()) or words[0] == QUESTIONS:
        raise TellError(f"must be like: {USAGE[words[0]]}")
    if words[0] == "send":
        return _send(list(words[1:]), seq, lanes)
    return _MAKERS[words[0]](list(words[1:]), names, seq)


def _chute(words: list[str], names: HubNames, seq: int) -> Wish:
    state = _one_of("state", words[1], CHUTE_WORDS)
    return _wish(Kind.OPERATE, chute=_index("chute", words[0], names.chutes), value=state, seq=seq)


def _code(words: list[str], names: HubNames, seq: int) -> Wish:
    wish = _wish(Kind.CODE, parcel=_parcel(words[0]), seq=seq, **_text(words[1]))
    return wish._replace(answer=Kind.CODED)


def _change(words: list[str], names: HubNames, seq: int) -> Wish:
    chute = _index("chute", words[1], names.chutes)
    wish = _wish(Kind.CHANGE, parcel=_parcel(words[0]), chute=chute, value=-1, seq=seq)
    return wish._replace(answer=Kind.ANSWERED)


def _send(words: list[str], seq: int, lanes: LaneNames) -> Wish:
    """By a lane of the plan of now: the kernel refuses it should there be another by then."""
    lane = _index("lane", words[1], lanes.lanes)
    fields = {"parcel": _parcel(words[0]), "value": lane, "plan": lanes.version, "seq": seq}
    return _wish(Kind.CHANGE, **fields)._replace(answer=Kind.ANSWERED)


def _intercept(words: list[str], names: HubNames, seq: int) -> Wish:
    return _wish(Kind.LIST, reason=Reason.INTERCEPT, value=1, seq=seq, **_text(words[0]))


def _hold(words: list[str], names: HubNames, seq: int) -> Wish:
    return _wish(Kind.LIST, reason=Reason.HELD, value=1, seq=seq, **_text(words[0]))


def _release(words: list[str], names: HubNames, seq: int) -> Wish:
    """Off both lists."""
    wish = Wish(empty(2), None)
    wish.inputs[0] = _wish(Kind.LIST, reason=Reason.INTERCEPT, seq=seq, **_text(words[0])).inputs[0]
    wish.inputs[1] = _wish(Kind.LIST, reason=Reason.HELD, seq=seq, **_text(words[0])).inputs[0]
    return wish


def _off(words: list[str], names: HubNames, seq: int) -> Wish:
    return _wish(Kind.TAKE_OFF, parcel=_parcel(words[0]), seq=seq)


def _diverter(words: list[str], names: HubNames, seq: int) -> Wish:
    value = _one_of("state", words[1], {"in": 1, "out": 0})
    return _wish(Kind.DIVERTER, device=_index("diverter", words[0], names.diverters), value=value, seq=seq)


def _eye(words: list[str], names: HubNames, seq: int) -> Wish:
    value = _one_of("state", words[1], {"well": 1, "bad": 0})
    return _wish(Kind.EYE_IN_USE, device=_index("eye", words[0], names.eyes), value=value, seq=seq)


def _node(words: list[str], names: HubNames, seq: int) -> Wish:
    """Out of the safe state that it went into for want of a host."""
    _one_of("word for a node", words[1], {"clear": 1})
    return _wish(Kind.CLEAR_NODE, device=_index("node", words[0], names.nodes), seq=seq)


def _machine(words: list[str], names: HubNames, seq: int) -> Wish:
    return _wish(Kind.MACHINE, value=_one_of("command", words[0], MACHINE_WORDS), seq=seq)


def _answer(words: list[str], names: HubNames, lanes: LaneNames) -> Wish:
    """A host's answer: its number is the question's."""
    if len(words) != (3 if words[1:2] in (["lane"], ["chute"]) else 2):
        raise TellError(f"must be like: {USAGE['answer']}")
    fields: dict[str, Any] = {"seq": _question(words[0]), "value": -1, "reason": Reason.OK}
    if words[1] == "lane":
        fields |= {"value": _index("lane", words[2], lanes.lanes), "plan": lanes.version}
    elif words[1] == "chute":
        fields["chute"] = _index("chute", words[2], names.chutes)
    else:
        fields["reason"] = _one_of("answer", words[1], NOWHERE_WORDS)
    return _wish(Kind.HOST_ANSWER, **fields)._replace(answer=Kind.ANSWERED)


_MAKERS: dict[str, Callable[[list[str], HubNames, int], Wish]] = {
    "chute": _chute,
    "code": _code,
    "change": _change,
    "intercept": _intercept,
    "hold": _hold,
    "release": _release,
    "off": _off,
    "diverter": _diverter,
    "eye": _eye,
    "node": _node,
    "machine": _machine,
}


def _wish(kind: Kind, **fields: Any) -> Wish:
    inputs = empty(1)
    inputs["kind"] = kind
    for key, value in fields.items():
        inputs[key] = value
    return Wish(inputs, None)


def _index(what: str, name: str, there: Sequence[str]) -> int:
    if name not in there:
        raise TellError(_unknown(what, name, list(there)))
    return there.index(name)


def _one_of(what: str, word: str, meanings: dict[str, Any]) -> int:
    if word not in meanings:
        raise TellError(f'"{word}" is no {what}: must be one of {", ".join(meanings)}')
    return int(meanings[word])


def _parcel(word: str) -> int:
    if not (word.isascii() and word.isdigit() and 1 <= int(word) <= PARCEL_MAX):
        raise TellError(f'"{word}" is no parcel: must be its number, 1 or more')
    return int(word)


def _question(word: str) -> int:
    if not (word.isascii() and word.isdigit() and 1 <= int(word) <= QUESTION_MAX):
        raise TellError(f'"{word}" is no question: must be its number, 1 to {QUESTION_MAX}')
    return int(word)


def _text(label: str) -> dict[str, Any]:
    if not (label.isascii() and label.isprintable() and 1 <= len(label) <= TEXT_MAX):
        raise TellError(f'"{label}" is no label: must be 1 to {TEXT_MAX} ASCII characters')
    return {"text": label.encode("ascii"), "n_text": len(label)}


def _unknown(what: str, name: str, there: list[str]) -> str:
    hint = nearest(name, there)
    return f'there is no {what} "{name}"' + (f" ({hint})" if hint else "")
