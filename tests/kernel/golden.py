"""Golden traces: a story told to a kernel, and what it said, in text that a person can read.

A story is a file: comments, a head (`hub` with settings, `plan`), lines `t=MS what happens`, a line `---`, and
then what the kernel was told (`<`) and said (`>`). On the line hub ms, mm and counts are the same number as long as the
belt runs at its design speed; its counter shows `start` at 0 ms. What can happen:

    parcel NAME LENGTH [LABEL] [top=LABEL] [side=...] [at=EYE]   its leading edge is at the (first) induct eye
    put NAME LENGTH MM [LABEL] [on=BELT]                put on by hand, leading edge there
    take NAME, swap NAME LENGTH, slip NAME MM           by hand, off; for one of another length; forward
    belt MM_PER_S [BELT]                                its speed from now on
    encoder silent|back|frozen|resets|glitches [BELT]   tells nothing or again, stands, begins at 0, one wild count
    encoder loses [BELT]                                counts on from where it stood
    sticks DIVERTER, moves DIVERTER                     a paddle that does not move, and one that does again
    dead CHUTE                                          a chute eye that sees nothing
    node NAME silent|back                               it tells nothing and takes no writes; the kernel is not told
    node NAME down|up                                   the kernel is told so
    chute CHUTE blocked|cleared                         its full eye
    operate CHUTE STATE, diverter DIVERTER in|out       a person's word: the chute's state; into and out of use
    machine COMMAND, safety trips|closes                PackML commands; the hard-wired chain
    home DIVERTER home|out                              where its paddle is
    weight SCALE GRAMS, size SCALE LENGTHxWIDTHxHEIGHT  what a scale says
    answer QUESTION lane|chute NAME, answer QUESTION REASON    what the host says
    reactor voids|writes                                what becomes of fires from now on; of what is armed too
    reactor crosses                                     from now on nothing is taken back in time
    count SCANNER NUMBER                                a scanner that is triggered counts on from there
    read SCANNER LABEL [stamp=N], eye NAME blocked|cleared, confirm CHUTE    told as it stands
    tell KIND FIELD=VALUE...                            chutes, reasons and plans by name, text as a LABEL
    plan NAME, flush, end

With `before=MM after=MM` behind the hub these are its eyes' windows; with `realign=MM` they know parcels again so far
off; with `armed=1` its diverters are told ahead, and fire by the belt's count; `commit_ms` is theirs too.

A LABEL is `zip:10003` (a valid label to there; `zip:10003#2` is another parcel's), `text:...` (as it stands),
`no` (the scanner says it read nothing), `silent`, or any of these with `+MS` for a late telegram.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from line_hub import MS, label, lanes, layout, names, nodes_up, plan, read, records
from line_hub import hub as hub_of
from little_belt import Event, LittleBelt

from hubctl._kernel import Kernel
from hubctl.core.events import (
    NO_COUNTS,
    NO_INDEX,
    Alarm,
    ChuteState,
    Disposition,
    Flag,
    Kind,
    MachineCommand,
    MachineState,
    Reason,
    Records,
    TowerLight,
)
from hubctl.core.tables import EyeRole, Stamp
from hubctl.core.telling import wish_of

TRACES = Path(__file__).parent / "traces"
SAMPLE_MS = 5
CUT = "---\n"


class Story(NamedTuple):
    """A file of `traces`, in its parts."""

    text: str  # down to the cut
    head: dict[str, list[str]]
    script: list[tuple[int, list[str]]]
    said: str


def load(file: Path) -> Story:
    text, _, said = file.read_text(encoding="utf-8").partition(CUT)
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    head = {words[0]: words[1:] for words in lines if not words[0].startswith("t=")}
    script = [(int(words[0][2:]), words[1:]) for words in lines if words[0].startswith("t=")]
    return Story(text, head, script, said)


def label_of(word: str, serial: int) -> str | None:
    """What a scanner will say; None for nothing."""
    kind, _, rest = word.partition(":")
    zip_code, _, other = rest.partition("#")
    if kind == "zip":
        return label(zip_code, serial + int(other or 0))
    return {"text": rest, "no": "", "silent": None}[kind]


class Stage:
    """A kernel, a little belt, and the obedient hands between them."""

    def __init__(self, story: Story) -> None:
        hub_name, *settings = story.head["hub"]
        numbers = {key: int(value) for key, _, value in (word.partition("=") for word in settings)}
        self.start_counts = numbers.pop("start", 0)
        n_tracks_max = numbers.pop("n_tracks_max", 16)
        reach_counts = numbers.pop("reach", None)
        debounce_counts = numbers.pop("debounce", None)
        realign_counts = numbers.pop("realign", 0)
        windows = {key: numbers.pop(key) for key in ("before", "after") if key in numbers}
        is_armed = numbers.pop("armed", 0)
        commit_ms = numbers.pop("commit_ms", None)
        launch_ms = numbers.pop("launch_ms", None)
        self.hub_name = hub_name
        self.hub = hub_of(hub_name)
        self.names = names(hub_name)
        self.layout = layout(hub_name, **numbers)
        self.layout.diverters["is_armed"] = is_armed
        if commit_ms is not None:
            self.layout.diverters["commit_ns"] = commit_ms * MS
        if launch_ms is not None:
            self.layout.eyes["launch_ns"] = launch_ms * MS
        self.armed: dict[int, Any] = {}
        if reach_counts is not None:
            self.layout.scanners["reach_counts"] = reach_counts
        if debounce_counts is not None:
            self.layout.eyes["debounce_counts"] = debounce_counts
        for key, counts in windows.items():
            self.layout.eyes["window_counts" if key == "after" else "window_before_counts"] = counts
        self.layout.eyes["realign_counts"][self.layout.eyes["role"] == EyeRole.TRACK] = realign_counts
        self.kernel = Kernel(self.layout, self._plan(story.head["plan"][0]), n_tracks_max=n_tracks_max)
        self.belt = LittleBelt(self.hub)
        self.silent: set[str] = set()
        self.blind: set[str] = set()
        self.frozen: dict[int, int] = {}
        self.glitches: int | None = None
        self.voids = self.crosses = False
        self.now_ms = 0
        self.lines: list[str] = []
        self.said: list[Any] = []
        self.inputs: list[dict[str, Any]] = nodes_up(self.layout.n_nodes)

    def _plan(self, name: str):
        self.plan_name = name
        return None if name == "none" else plan(name, self.hub_name)

    # What happens

    def perform(self, script: list[tuple[int, list[str]]]) -> None:
        by_ms = in_order(script)
        for self.now_ms in range(max(by_ms) + 1):
            self._pass_millisecond(by_ms.get(self.now_ms, []))

    def _pass_millisecond(self, happenings: list[list[str]]) -> None:
        if self.now_ms:
            for event in self.belt.advance(self.now_ms):
                self._tell(event)
            self._fire_armed()
        for words in happenings:
            self._happen(words)
        self._step_if_due()

    def _happen(self, words: list[str]) -> None:
        getattr(self, f"_do_{words[0]}")(*words[1:])

    def _do_parcel(self, name: str, length: str, *labels: str) -> None:
        given = [word[3:] for word in labels if word.startswith("at=")]
        eye = next(eye for eye in self.hub.eyes if eye.name == (given[0] if given else self.names.eyes[0]))
        self._put(name, eye.belt, eye.at_mm, int(length), labels)
        self.belt.parcels[name].came_by = eye.name
        for event in self.belt.edges():
            self._tell(event)

    def _do_put(self, name: str, length: str, at_mm: str, *labels: str) -> None:
        given = [word[3:] for word in labels if word.startswith("on=")]
        self._put(name, given[0] if given else self.names.belts[0], int(at_mm), int(length), labels)

    def _put(self, name: str, belt: str, at_mm: int, length_mm: int, labels: tuple[str, ...]) -> None:
        words = dict.fromkeys(self.names.scanners, "silent")
        for word in labels:
            if word[:3] in ("at=", "on="):
                continue
            scanner, equals, given = word.partition("=")
            words.update({scanner: given} if equals else dict.fromkeys(words, word))
        serial = sum(name.encode())
        parts = {scanner: word.partition("+") for scanner, word in words.items()}
        texts = {scanner: label_of(part[0], serial) for scanner, part in parts.items()}
        parcel = self.belt.put(name, belt, at_mm, length_mm, texts)
        parcel.late_ms = {scanner: int(part[2] or 0) for scanner, part in parts.items()}

    def _do_take(self, name: str) -> None:
        del self.belt.parcels[name]

    def _do_swap(self, name: str, length: str) -> None:
        self.belt.parcels[name].length_mm = int(length)

    def _do_slip(self, name: str, by_mm: str) -> None:
        self.belt.slip(name, int(by_mm), self.now_ms)

    def _do_belt(self, speed_mm_s: str, belt: str = "") -> None:
        self.belt.speed_mm_s[belt or self.names.belts[0]] = int(speed_mm_s)

    def _do_encoder(self, state: str, belt: str = "") -> None:
        index = self.names.belts.index(belt) if belt else 0
        change = self.silent.add if state == "silent" else self.silent.discard
        change(f"encoder of {self.names.belts[index]}")
        if state == "resets":
            self.start_counts = -(self.belt.travel_um[self.names.belts[index]] // 1000)
        stood = self.frozen.pop(index, None)
        if state == "loses" and stood is not None:
            self.start_counts -= self._raw(index) - stood
        if state == "frozen":
            self.frozen[index] = self._raw(index)
        self.glitches = index if state == "glitches" else None

    def _do_blind(self, eye: str) -> None:
        self.blind.add(eye)

    def _do_sees(self, eye: str) -> None:
        self.blind.remove(eye)

    def _do_sticks(self, diverter: str) -> None:
        self.belt.stick(diverter, True)

    def _do_moves(self, diverter: str) -> None:
        self.belt.stick(diverter, False)

    def _do_dead(self, chute: str) -> None:
        self.belt.dead_chute_eyes.add(chute)

    def _do_node(self, name: str, state: str) -> None:
        if state in ("silent", "back"):
            (self.silent.add if state == "silent" else self.silent.discard)(name)
            return
        node = self.names.nodes.index(name)
        self._input(f"node {name} {state}", kind=Kind.NODE, device=node, value=state == "up")

    def _do_chute(self, chute: str, state: str) -> None:
        index = self.names.chutes.index(chute)
        self._input(
            f"full eye of {chute} {state}", kind=Kind.CHUTE_LEVEL, chute=index, value=state == "blocked"
        )

    def _do_operate(self, chute: str, state: str) -> None:
        index = self.names.chutes.index(chute)
        self._input(f"operate {chute} {state}", kind=Kind.OPERATE, chute=index, value=ChuteState[state])

    def _do_reactor(self, does: str) -> None:
        self.voids = does == "voids"
        self.crosses = does == "crosses"

    def _do_count(self, scanner: str, number: str) -> None:
        self.belt.n_triggers[scanner] = int(number)

    def _do_read(self, scanner: str, word: str, stamp: str = "") -> None:
        self._tell(("read", scanner, label_of(word, 0) or "", stamp.removeprefix("stamp=")))

    def _do_eye(self, name: str, state: str) -> None:
        self._tell(("eye", name, state))

    def _do_confirm(self, chute: str) -> None:
        self._tell(("confirm", chute, "blocked"))

    def _do_machine(self, command: str) -> None:
        self._input(f"machine {command}", kind=Kind.MACHINE, value=MachineCommand[command])

    def _do_safety(self, state: str) -> None:
        self._input(f"safety {state}", kind=Kind.SAFETY, value=state == "trips")

    def _do_home(self, diverter: str, state: str) -> None:
        index = self.names.diverters.index(diverter)
        self._input(f"paddle of {diverter} {state}", kind=Kind.HOME, device=index, value=state == "home")

    def _do_diverter(self, diverter: str, state: str) -> None:
        index = self.names.diverters.index(diverter)
        self._input(f"diverter {diverter} {state}", kind=Kind.DIVERTER, device=index, value=state == "in")

    def _do_weight(self, scale: str, grams: str) -> None:
        device = self.names.scales.index(scale)
        self._input(f"weight {scale} {grams}", kind=Kind.WEIGHT, device=device, value=int(grams))

    def _do_size(self, scale: str, size: str) -> None:
        length, width, height = map(int, size.split("x"))
        fields = {"device": self.names.scales.index(scale), "value": length, "limit": width, "seq": height}
        self._input(f"size {scale} {size}", kind=Kind.SIZE, **fields)

    def _do_answer(self, question: str, what: str, name: str = "") -> None:
        words = ["answer", question, what, *([name] if name else [])]
        wish = wish_of(words, self.names, 1, lanes(self.plan_name, self.hub_name))
        fields = {key: wish.inputs[0][key] for key in ("value", "chute", "reason", "plan")}
        self._input(" ".join(words), kind=Kind.HOST_ANSWER, seq=int(question), **fields)

    def _do_tell(self, kind: str, *settings: str) -> None:
        pairs = (setting.partition("=") for setting in settings)
        fields = {key: self._value(key, value) for key, _, value in pairs}
        self._input(" ".join(["tell", kind, *settings]), kind=Kind[kind], **fields)

    def _value(self, key: str, value: str) -> Any:
        if key == "chute":
            return NO_INDEX if value == "NOWHERE" else self.names.chutes.index(value)
        if key == "plan":
            return plan(value, self.hub_name).version
        if key == "text":
            return (label_of(value, 0) or "").encode()
        return int(Reason[value]) if key == "reason" else int(value)

    def _do_plan(self, name: str) -> None:
        self.lines.append(f"< {self.now_ms} plan {name}")
        self.kernel.swap_plan(self._plan(name))

    def _do_flush(self) -> None:
        self._input("flush", kind=Kind.FLUSH)

    def _do_end(self) -> None:
        self._step()

    # What the kernel is told

    def _tell(self, event: Event) -> None:
        what, name, told, *more = event
        if what == "read":
            self._tell_read(name, told, more[0])
        elif what == "eye" and not self._is_silent(self.layout.eyes["node"][self.names.eyes.index(name)]):
            self._tell_eye(name, told)
        elif what == "confirm":
            index = self.names.chutes.index(name)
            if not self._is_silent(self.layout.chutes["confirm_node"][index]):
                self._input(
                    f"chute eye {name} {told}", kind=Kind.CONFIRM, chute=index, value=told == "blocked"
                )

    def _tell_read(self, name: str, text: str, stamp: str) -> None:
        index = self.names.scanners.index(name)
        told = read(index, text, self.now_ms * MS)
        if stamp and self.layout.scanners["stamp"][index] == Stamp.ENCODER:
            mask = self._mask(self.layout.scanners["belt"][index])
            told |= {"counts": (self.start_counts + int(stamp)) & mask, "flags": Flag.LATCHED}
        elif stamp:
            told |= {"value": int(stamp), "flags": Flag.TRIGGERED}
        self.lines.append(f"< {self.now_ms} read {name} {text or 'no-read'}{stamp and f' stamp={stamp}'}")
        self.inputs.append(told)

    def _tell_eye(self, name: str, told: str) -> None:
        if name in self.blind:
            return
        index = self.names.eyes.index(name)
        belt = self.layout.eyes["belt"][index]
        is_latched = self.layout.eyes["node"][index] == self.layout.belts["encoder_node"][belt]
        self._input(
            f"eye {name} {told}",
            kind=Kind.EYE,
            device=index,
            value=told == "blocked",
            counts=self._raw(belt) if is_latched else NO_COUNTS,
            flags=Flag.LATCHED if is_latched else 0,
        )

    def _is_silent(self, node: int) -> bool:
        return node != NO_INDEX and self.names.nodes[node] in self.silent

    def _input(self, text: str, /, **fields: Any) -> None:
        self.lines.append(f"< {self.now_ms} {text}")
        if "text" in fields:
            fields["n_text"] = len(fields["text"])
        self.inputs.append(fields | {"t_ns": self.now_ms * MS})

    def _mask(self, belt: int) -> int:
        return (1 << int(self.layout.belts["counter_bits"][belt])) - 1

    def _raw(self, belt: int) -> int:
        if belt in self.frozen:
            return self.frozen[belt]
        return (self.start_counts + self.belt.travel_um[self.names.belts[belt]] // 1000) & self._mask(belt)

    def _step_if_due(self) -> None:
        is_sampled = self.now_ms % SAMPLE_MS == 0
        for belt, name in enumerate(self.names.belts if is_sampled else ()):
            has_encoder = self.layout.belts["encoder_node"][belt] != NO_INDEX
            if has_encoder and f"encoder of {name}" not in self.silent:
                self._sample(belt)
        if self.inputs or is_sampled or self.kernel.next_deadline() <= self.now_ms * MS:
            self._step()

    def _sample(self, belt: int) -> None:
        counts, t_ns = self._raw(belt), self.now_ms * MS
        if self.glitches == belt:
            counts, self.glitches = counts ^ self._mask(belt), None
        self.inputs.append({"kind": Kind.ENCODER, "device": belt, "counts": counts, "t_ns": t_ns})

    def _step(self) -> None:
        given, self.inputs = self.inputs, []
        for record in self._feed(self.now_ms * MS, records(*given)):
            self.said.append(record)
            self.lines.append(f"> {self.now_ms} {Teller(self.names, record)}")
            if record["kind"] in (Kind.FIRE_OUTPUT, Kind.LAUNCH):
                self._obey(record)
            if record["kind"] == Kind.ARM_DIVERT:
                self._arm(record)
            if record["kind"] == Kind.CANCEL_DIVERT:
                self._cancel(record)
            if record["kind"] == Kind.RUN_BELT:
                self.belt.speed_mm_s[self.names.belts[record["device"]]] = int(record["value"])
        if self.inputs:
            self._step()

    def _feed(self, now_ns: int, given: Records) -> Records:
        return self.kernel.step(now_ns, given)

    def _arm(self, record: Any) -> None:
        """Keeps it for its count, or is too late."""
        if self.voids:
            self._result(record, Reason.MISSED_WINDOW)
        else:
            self.armed[int(record["seq"])] = record

    def _cancel(self, record: Any) -> None:
        """Takes it back, unless the node has it from a host that is too slow."""
        if not self.crosses:
            del self.armed[int(record["seq"])]
            self._result(record, Reason.NONE)

    def _fire_armed(self) -> None:
        for seq, record in list(self.armed.items()):
            if self._raw(int(self.layout.diverters["belt"][record["device"]])) >= record["counts"]:
                del self.armed[seq]
                self.belt.write(self.names.chutes[record["chute"]], self.now_ms)
                if not self._is_silent(self.layout.chutes["node"][record["chute"]]):
                    self._result(record, Reason.OK)

    def _result(self, record: Any, reason: Reason) -> None:
        fields = {name: record[name] for name in ("seq", "parcel", "chute", "due_ns")}
        self._input(f"fire {record['seq']} {reason.name}", kind=Kind.FIRE_RESULT, reason=reason, **fields)

    def _obey(self, record: Any) -> None:
        """Writes the output, as the reactor would, and answers."""
        chute = self.names.chutes[record["chute"]]
        reason = Reason.MISSED_WINDOW if self.voids else Reason.OK
        if not self.voids and not self._is_silent(self.layout.chutes["node"][record["chute"]]):
            self.belt.write(chute, self.now_ms)
        self._result(record, reason)


def in_order(script: list[tuple[int, list[str]]]) -> dict[int, list[list[str]]]:
    """What happens, by the millisecond."""
    by_ms: dict[int, list[list[str]]] = {}
    for at_ms, words in script:
        by_ms.setdefault(at_ms, []).append(words)
    return by_ms


class Teller:
    """One record of the kernel in words."""

    def __init__(self, of: Any, record: Any) -> None:
        self.of = of
        self.record = record

    def __str__(self) -> str:
        kind = Kind(self.record["kind"])
        words = [kind.name.lower()]
        if self.record["parcel"]:
            words.append(str(self.record["parcel"]))
        tell = getattr(self, f"_{kind.name.lower()}", self._otherwise)
        return " ".join([*words, *tell()])

    @property
    def _chute(self) -> str:
        return "nowhere" if self.record["chute"] == NO_INDEX else self.of.chutes[self.record["chute"]]

    @property
    def _reason(self) -> str:
        return Reason(self.record["reason"]).name

    @property
    def _text(self) -> str:
        return self.record["text"][: self.record["n_text"]].decode()

    def _opened(self) -> list[str]:
        flags = [flag.name.lower() for flag in Flag if self.record["flags"] & flag]
        is_station = not self.of.eyes
        devices = self.of.scanners if is_station else self.of.eyes
        return ["at", devices[self.record["device"]], f"counts={self.record['counts']}", *flags]

    def _measured(self) -> list[str]:
        return [f"length={self.record['value']}"]

    def _read_placed(self) -> list[str]:
        scanner = self.of.scanners[self.record["device"]]
        return [scanner, self._reason, f"error_um={self.record['error_um']}", self._text]

    def _read_unplaced(self) -> list[str]:
        return [self.of.scanners[self.record["device"]], self._reason, self._text]

    def _decided(self) -> list[str]:
        wave = [] if self.record["limit"] < 0 else [f"wave={self.record['limit']}"]
        return [self._chute, self._reason, *wave]

    def _chute_changed(self) -> list[str]:
        holds = [f"holds={self.record['limit']}"] if self.record["limit"] else []
        return [self._chute, ChuteState(self.record["value"]).name, *holds]

    def _answered(self) -> list[str]:
        return [f"seq={self.record['seq']}", self._reason, f"mm_left={self.record['value']}"]

    def _listed(self) -> list[str]:
        word = {1: "on", 0: "off", -1: "refused"}[int(self.record["value"])]
        return [word, self._reason, self._text]

    def _skipped(self) -> list[str]:
        return [self._chute, self._reason]

    def _committed(self) -> list[str]:
        return [self._chute, f"seq={self.record['seq']}", f"fire_counts={self.record['limit']}"]

    def _arm_divert(self) -> list[str]:
        return self._fire_output()

    def _cancel_divert(self) -> list[str]:
        return [self._chute, f"seq={self.record['seq']}"]

    def _fire_output(self) -> list[str]:
        due, limit = self.record["counts"], self.record["limit"]
        return [self._chute, f"seq={self.record['seq']}", f"counts={due}", f"void_after={limit}"]

    def _fired(self) -> list[str]:
        return [self._chute, f"seq={self.record['seq']}"]

    def _seen(self) -> list[str]:
        eye = self.of.eyes[self.record["device"]]
        return ["at", eye, f"error_um={self.record['error_um']}", f"window={self.record['limit']}"]

    def _unseen(self) -> list[str]:
        return ["at", self.of.eyes[self.record["device"]], f"window={self.record['limit']}"]

    def _confirmed(self) -> list[str]:
        return [self._chute, self._reason]

    def _weighed(self) -> list[str]:
        return [self.of.scales[self.record["device"]], f"{self.record['value']}g", self._reason]

    def _sized(self) -> list[str]:
        size = "x".join(str(self.record[key]) for key in ("value", "limit", "seq"))
        return [self.of.scales[self.record["device"]], size, self._reason]

    def _ask_host(self) -> list[str]:
        return [f"seq={self.record['seq']}", f"due={self.record['due_ns'] // MS}", self._text]

    def _closed(self) -> list[str]:
        return [Disposition(self.record["value"]).name, self._reason, self._chute, self._text or "-"]

    def _alarm_raised(self) -> list[str]:
        return [str(self.record["device"]), Alarm(self.record["value"]).name]

    _alarm_cleared = _alarm_raised

    def _run_belt(self) -> list[str]:
        return [self.of.belts[self.record["device"]], f"speed_mm_s={self.record['value']}"]

    def _hold_induct(self) -> list[str]:
        return [self.of.eyes[self.record["device"]], "hold" if self.record["value"] else "release"]

    def _show_light(self) -> list[str]:
        return [light.name or "" for light in TowerLight if light & self.record["value"]]

    def _state_changed(self) -> list[str]:
        return [MachineState(self.record["value"]).name, "after", MachineState(self.record["limit"]).name]

    def _otherwise(self) -> list[str]:
        """A kind without words of its own: every field that says something."""
        fields = [
            f"{name}={self.record[name]}"
            for name in ("device", "counts", "value", "limit", "due_ns", "seq", "error_um")
            if self.record[name] not in (0, NO_COUNTS)
        ]
        chute = [] if self.record["chute"] == NO_INDEX else [self._chute]
        reason = [self._reason] if self.record["reason"] else []
        return [*chute, *fields, *reason, *([self._text] if self._text else [])]
