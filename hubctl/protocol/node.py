"""The host's side of one of our nodes: bytes and the time in, bytes and events out.

A session identifies the node, takes it for its epoch, arms its watchdog and reads that back; only then are diverts
armed. From there each poll is a heartbeat that brings counts, edges and outcomes. A command that got no answer is
told again with its own sequence number, which the node never does twice. A node that has booted is begun with from
its identity; what was armed there is forgotten by both sides, and told.

Counts are the node's, modulo 2**32, as the kernel takes them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias

from hubctl._wire import ModbusChannel, ModbusReply, Refusal
from hubctl.protocol import registers as r

NS_PER_S = 1_000_000_000
SPEED_ERROR_PER_MILLE = 20  # a belt's speed does not change by more than that between two polls
SILENT_AFTER = 3  # requests without an answer
STATES = frozenset(r.NodeState)
OUTCOME_KINDS = frozenset(r.OutcomeKind)
STATE_AT = r.RESULT.at("state")  # in the status too
SHOWN_WORDS = r.STATUS.n_words + r.EDGES.n_words + r.OUTCOMES.n_words
N_EDGES_ASKED_MIN = 4  # with each poll, so that an edge seldom waits for the next one


class NodeConfig(NamedTuple):
    """How a node is to behave; what `hubctl.protocol.registers.CONFIG` says."""

    watchdog_ms: int
    safe_outputs: int = 0
    encoder_mode: r.EncoderMode = r.EncoderMode.QUADRATURE
    debounce_counts: tuple[int, ...] = (0,) * r.N_EYES
    confirm_eye: tuple[int, ...] = (r.NO_EYE,) * r.N_DIVERTERS
    confirm_counts: tuple[int, ...] = (0,) * r.N_DIVERTERS


class Divert(NamedTuple):
    """One divert to arm; its number is above all numbers before, or that of one that is armed and changes."""

    seq: int
    diverter: int
    fire_counts: int
    void_counts: int
    hold: int
    hold_unit: r.HoldUnit = r.HoldUnit.MS
    action: r.Action = r.Action.PULSE


# Events


@dataclass(frozen=True, slots=True)
class NodeReady:
    """It is identified and taken, and its watchdog is armed and verified."""

    boot_id: int
    counts: int


@dataclass(frozen=True, slots=True)
class NodeBooted:
    """It has booted since; its counts begin anew."""

    old_boot_id: int
    boot_id: int


@dataclass(frozen=True, slots=True)
class NodeSilent:
    """It has not answered several times in a row."""


@dataclass(frozen=True, slots=True)
class NodeHeard:
    """It answers again."""


@dataclass(frozen=True, slots=True)
class NodeIsForeign:
    """What answers is no node of ours, or of another map."""

    magic: int
    map_version: int


@dataclass(frozen=True, slots=True)
class NodeWentSafe:
    """Its outputs are at their safe values until somebody clears it."""

    reason: int


@dataclass(frozen=True, slots=True)
class NodeCleared:
    """It is out of its safe state."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """Another host has taken the node; this session says no more."""


@dataclass(frozen=True, slots=True)
class ConfigRefused:
    """The node did not take its configuration, or reads back another."""

    result: int


@dataclass(frozen=True, slots=True)
class EdgeSeen:
    """An eye was blocked or cleared at a count."""

    eye: int
    is_blocked: bool
    counts: int


@dataclass(frozen=True, slots=True)
class EdgesLost:
    """So many edges were lost because nobody asked in time."""

    n_edges: int


@dataclass(frozen=True, slots=True)
class OutcomesLost:
    """So many outcomes were lost because nobody asked in time; diverts that have passed without one are forgotten."""

    n_outcomes: int


@dataclass(frozen=True, slots=True)
class DivertArmed:
    """The node has it."""

    seq: int


@dataclass(frozen=True, slots=True)
class DivertEnded:
    """What became of a divert; CONFIRMED comes after FIRED."""

    seq: int
    kind: r.OutcomeKind
    why: int
    counts: int


@dataclass(frozen=True, slots=True)
class DivertForgotten:
    """Nobody can say whether it was fired: the node has booted, or its outcome was lost."""

    seq: int


Event: TypeAlias = (
    NodeReady
    | NodeBooted
    | NodeSilent
    | NodeHeard
    | NodeIsForeign
    | NodeWentSafe
    | NodeCleared
    | Superseded
    | ConfigRefused
    | EdgeSeen
    | EdgesLost
    | OutcomesLost
    | DivertArmed
    | DivertEnded
    | DivertForgotten
)


class CountClock:
    """Where the node's belt is, from what it said last.

    The count was taken somewhere between sending the question and receiving the answer, so it is good to half
    that time of travel, and to what the speed may have changed since.

    Examples
    --------
    >>> clock = CountClock()
    >>> clock.fix(1000, 6000, 0, 2_000_000)
    >>> clock.at(11_000_000)
    (1060, 9)
    """

    def __init__(self) -> None:
        self.counts = 0
        self.counts_per_s = 0
        self.taken_ns = 0
        self.half_trip_ns = 0

    def fix(self, counts: int, counts_per_s: int, sent_ns: int, received_ns: int) -> None:
        """An answer with a count: asked at `sent_ns`, here at `received_ns`."""
        self.counts, self.counts_per_s = counts, counts_per_s
        self.taken_ns = (sent_ns + received_ns) // 2
        self.half_trip_ns = (received_ns - sent_ns + 1) // 2

    def at(self, now_ns: int) -> tuple[int, int]:
        """Count at a time, modulo 2**32, and by how many counts it may be wrong, either way."""
        age_ns = now_ns - self.taken_ns
        moved = self.counts_per_s * age_ns // NS_PER_S
        doubt_ns = self.half_trip_ns + abs(age_ns) * SPEED_ERROR_PER_MILLE // 1000
        return (self.counts + moved) % 2**32, abs(self.counts_per_s) * doubt_ns // NS_PER_S + 2


def ahead(a: int, b: int) -> int:
    """How far a count is ahead of another on the circle of 2**32; negative: behind.

    >>> ahead(5, 2**32 - 5)
    10
    """
    return (a - b + 2**31) % 2**32 - 2**31


class CountOffset:
    """How far a belt's count is ahead of a node's, when both count the same encoder.

    That is one number, from the boot of either to the next. Each node's count read between two readings of the
    belt's bounds it, whatever the speed, as long as the belt does not run backward; all readings together bound
    it closely, and one at standstill exactly. Readings that contradict each other mean that a pulse was lost on
    one side: then it begins anew from the last.

    Examples
    --------
    >>> offset = CountOffset()
    >>> offset.take(before=1000, other=400, after=1030)
    >>> offset.take(before=1100, other=515, after=1120)
    >>> offset.low, offset.high, offset.n_contradictions
    (600, 605, 0)
    """

    def __init__(self) -> None:
        self.low, self.high = -(2**31), 2**31 - 1
        self.n_contradictions = 0

    @property
    def is_exact(self) -> bool:
        """Whether it is one number."""
        return self.low == self.high

    def take(self, *, before: int, other: int, after: int) -> None:
        """The belt's count answered before the node was asked, the node's, and the belt's asked after its answer."""
        low, high = ahead(before, other), ahead(after, other)
        if max(low, self.low) > min(high, self.high):
            self.n_contradictions += 1
            self.low, self.high = low, high
            return
        self.low, self.high = max(low, self.low), min(high, self.high)


class Phase(Enum):
    """How far a session has come; the next request is that of its phase."""

    IDENTIFY = 1
    TAKE = 2
    CONFIGURE = 3
    VERIFY = 4
    RUN = 5
    ENDED = 6  # superseded, or no node of ours


class Request(NamedTuple):
    """One question: registers to read, after writing a block if there is one."""

    address: int
    n_words: int
    block: r.Block | None = None
    data: bytes = b""  # of the block
    arms: int = 0  # sequence number of the divert that it arms


class NodeSession:
    """One node on one link, without its socket.

    Parameters
    ----------
    epoch : int
        1 to 2**32 - 1, larger than that of every host before.
    config : NodeConfig
    rtu : bool
        RTU frames rather than TCP ones.
    poll_ns, timeout_ns : int
        Between two polls, and for an answer.
    quiet_ns : int
        RTU: silence between frames; 0 where RTU frames travel over a socket.
    first_host_seq : int
        Where the numbers of the requests begin; the node echoes each.
    """

    def __init__(
        self,
        epoch: int,
        config: NodeConfig,
        *,
        rtu: bool,
        unit: int = r.UNIT,
        poll_ns: int = 5_000_000,
        timeout_ns: int = 50_000_000,
        quiet_ns: int = 1_750_000,
        first_host_seq: int = 0,
    ) -> None:
        self.epoch, self.config, self.unit = epoch, config, unit
        self.poll_ns, self.timeout_ns = poll_ns, timeout_ns
        self.rtu, self.quiet_ns = rtu, quiet_ns
        self.clock = CountClock()
        self.boot_id: int | None = None
        self.phase = Phase.IDENTIFY
        self.state = r.NodeState.IDLE
        self.outputs = 0
        self.n_unanswered = 0
        self._diverts: dict[int, Divert] = {}
        self._commands: deque[Request] = deque()
        self._events: list[Event] = []
        self._host_seq = first_host_seq
        self._edges_next = self._outcomes_next = 0
        self._n_edges = self._n_outcomes = 0
        self._are_outcomes_lost = False
        self.connect()

    def connect(self) -> None:
        """A new connection, to the same node or one that has booted: its identity is asked for first."""
        self._channel = ModbusChannel(self.rtu, quiet_ns=self.quiet_ns)
        self._waiting: Request | None = None
        self._sent_ns = self._next_poll_ns = 0
        if self.phase is not Phase.ENDED:
            self.phase = Phase.IDENTIFY

    # Bytes

    @property
    def broken(self) -> bool:
        """Only a new connection helps: reconnect, then call `connect`."""
        return self._channel.broken

    def receive(self, data: bytes, now_ns: int) -> None:
        """Bytes of the node, received at `now_ns`."""
        for reply in self._channel.receive(data, now_ns):
            self._take_reply(reply, now_ns)

    def advance(self, now_ns: int) -> bytes:
        """What is to be sent at `now_ns`, perhaps nothing."""
        for reply in self._channel.expire(now_ns):
            self._take_reply(reply, now_ns)
        if self._waiting is not None or not self._channel.ready(now_ns):
            return b""
        request = self._next_request(now_ns)
        return b"" if request is None else self._send(request, now_ns)

    def next_deadline(self, now_ns: int) -> int:
        """When `advance` has something to do, ns."""
        if self._waiting is not None or not self._channel.ready(now_ns):
            return self._channel.next_deadline(now_ns)
        if self.phase is Phase.ENDED:
            return 2**63 - 1
        return now_ns if self.phase is not Phase.RUN or self._commands else self._next_poll_ns

    def events(self) -> list[Event]:
        """What has happened since it was asked last."""
        told, self._events = self._events, []
        return told

    @property
    def waiting(self) -> bool:
        """Whether an answer is awaited."""
        return self._waiting is not None

    @property
    def n_commands(self) -> int:
        """Commands that the node has not answered yet."""
        return len(self._commands)

    def _send(self, request: Request, now_ns: int) -> bytes:
        self._waiting, self._sent_ns = request, now_ns
        if request.block is None:
            return self._channel.send(
                *(now_ns,),
                unit=self.unit,
                function=3,
                address=request.address,
                count=request.n_words,
                timeout_ns=self.timeout_ns,
            )
        return self._channel.send(
            now_ns,
            unit=self.unit,
            function=23,
            address=request.block.address,
            count=request.block.n_words,
            data=request.data,
            read_address=request.address,
            read_count=request.n_words,
            timeout_ns=self.timeout_ns,
        )

    # Commands

    @property
    def armed(self) -> tuple[int, ...]:
        """Sequence numbers of the diverts that have not ended, as far as is known."""
        return tuple(self._diverts)

    def arm(self, divert: Divert) -> None:
        """Arm a divert, or arm it anew; if the node is not ready it is refused at once."""
        if self.phase is not Phase.RUN or self.state is not r.NodeState.READY:
            self._end(divert.seq, r.OutcomeKind.REFUSED, r.Result.NO_WATCHDOG, self.clock.counts)
            return
        if len(self._diverts) >= r.N_ARMED_MAX and divert.seq not in self._diverts:
            self._end(divert.seq, r.OutcomeKind.REFUSED, r.Result.FULL, self.clock.counts)
            return
        self._diverts[divert.seq] = divert
        self._command(r.Command.ARM, **divert._asdict())

    def cancel(self, seq: int) -> None:
        """Cancel a divert; its end is told, whatever it was."""
        self._command(r.Command.CANCEL, seq=seq)

    def clear(self) -> None:
        """Somebody has looked: leave the safe state."""
        self._command(r.Command.CLEAR)

    def make_safe(self) -> None:
        """Cancel everything and put the outputs to their safe values."""
        self._command(r.Command.MAKE_SAFE)

    def _command(self, command: r.Command, **values: int) -> None:
        request = self._write(r.COMMAND, r.RESULT, command=command, **values)
        is_arm = command is r.Command.ARM
        self._commands.append(request._replace(arms=values["seq"]) if is_arm else request)

    # Requests

    def _write(self, block: r.Block, answer: r.Block, **values: int | tuple[int, ...]) -> Request:
        n_words = r.RESULT.n_words if answer is r.RESULT else SHOWN_WORDS
        data = r.pack(block, {**values, "epoch": self.epoch})
        return Request(answer.address, n_words, block, data)

    def _n_poll_words(self) -> int:
        """As few registers as show what is kept, since a serial line takes its time."""
        if self._n_outcomes > 0:
            return SHOWN_WORDS
        n_edges = min(max(self._n_edges, N_EDGES_ASKED_MIN), r.N_EDGES_SHOWN)
        return r.STATUS.n_words + r.EDGES.at("edge") + n_edges * r.EDGE_WORDS

    def _next_request(self, now_ns: int) -> Request | None:
        if self.phase is Phase.IDENTIFY:
            return Request(r.IDENTITY.address, r.IDENTITY.n_words)
        if self.phase is Phase.TAKE:
            take = self._write(r.COMMAND, r.RESULT, command=r.Command.TAKE, seq=self.boot_id or 0)
            return self._stamped(take)
        if self.phase is Phase.CONFIGURE:
            return self._stamped(self._write(r.CONFIG, r.STATUS, **self.config._asdict()))
        if self.phase is Phase.VERIFY:
            return Request(r.CONFIG.address, r.CONFIG.n_words)
        return self._next_of_run(now_ns) if self.phase is Phase.RUN else None

    def _next_of_run(self, now_ns: int) -> Request | None:
        if self._commands:
            return self._stamped(self._commands[0])
        if now_ns < self._next_poll_ns:
            return None
        self._next_poll_ns = now_ns + self.poll_ns
        taken = {"edges_taken": self._edges_next, "outcomes_taken": self._outcomes_next}
        poll = self._write(r.POLL, r.STATUS, **taken)
        return self._stamped(poll._replace(n_words=self._n_poll_words()))

    def _stamped(self, request: Request) -> Request:
        self._host_seq = (self._host_seq + 1) % 2**16
        return request._replace(data=self._host_seq.to_bytes(2, "big") + request.data[2:])

    # Replies

    def _take_reply(self, reply: ModbusReply, now_ns: int) -> None:
        if reply.tag is None or self._waiting is None:
            return
        request, self._waiting = self._waiting, None
        words = r.words_of(reply.data)
        if reply.refusal is not Refusal.ACCEPTED or not self._is_answer(request, words):
            self._miss()
            return
        if self.n_unanswered >= SILENT_AFTER:
            self._events.append(NodeHeard())
        self.n_unanswered = 0
        self._take_words(request, words, now_ns)

    def _is_answer(self, request: Request, words: list[int]) -> bool:
        if request.block is None:
            return True
        return words[0] == self._host_seq and words[STATE_AT] in STATES

    def _miss(self) -> None:
        self.n_unanswered += 1
        if self.n_unanswered == SILENT_AFTER:
            self._events.append(NodeSilent())

    def _take_words(self, request: Request, words: list[int], now_ns: int) -> None:
        if request.address == r.IDENTITY.address:
            self._identified(words)
        elif request.address == r.CONFIG.address:
            self._verified(words)
        elif request.address == r.RESULT.address:
            self._answered(request, words)
        else:
            self._shown(request, words, now_ns)

    def _identified(self, words: list[int]) -> None:
        magic, map_version = r.get(r.IDENTITY, words, "magic"), r.get(r.IDENTITY, words, "map_version")
        if (magic, map_version) != (r.MAGIC, r.MAP_VERSION):
            self._events.append(NodeIsForeign(magic, map_version))
            self.phase = Phase.ENDED
            return
        self._meet(r.get(r.IDENTITY, words, "boot_id"))
        self.phase = Phase.TAKE

    def _meet(self, boot_id: int) -> None:
        if self.boot_id is not None and self.boot_id != boot_id:
            self._events.append(NodeBooted(self.boot_id, boot_id))
            self._forget(list(self._diverts))
            self._commands.clear()
            self.state = r.NodeState.IDLE
        self.boot_id = boot_id

    def _has_booted(self, boot_id: int) -> bool:
        """Whether it has: then everything begins anew, with its identity."""
        if boot_id == self.boot_id:
            return False
        self.phase = Phase.IDENTIFY
        return True

    def _answered(self, request: Request, words: list[int]) -> None:
        result = r.get(r.RESULT, words, "result")
        if self._has_booted(r.get(r.RESULT, words, "boot_id")) or self._is_superseded(result):
            return
        if self.phase is Phase.TAKE:
            self.phase = Phase.CONFIGURE if result == r.Result.OK else Phase.IDENTIFY
            return
        if result == r.Result.NOT_TAKEN:
            self.phase = Phase.IDENTIFY
            return
        self._commands.popleft()
        if result == r.Result.OK and request.arms != 0:
            self._events.append(DivertArmed(request.arms))
        self._change_state(r.get(r.RESULT, words, "state"), r.SafeReason.ASKED)

    def _is_superseded(self, result: int) -> bool:
        if result != r.Result.OLD_EPOCH:
            return False
        self._events.append(Superseded())
        self._forget(list(self._diverts))
        self.phase = Phase.ENDED
        return True

    def _forget(self, seqs: list[int]) -> None:
        for seq in seqs:
            del self._diverts[seq]
            self._events.append(DivertForgotten(seq))

    def _verified(self, words: list[int]) -> None:
        expected = r.put(r.CONFIG, epoch=self.epoch, **self.config._asdict())
        if words[1:] != expected[1:]:
            self._events.append(ConfigRefused(r.Result.BAD_CONFIG))
            self.phase = Phase.CONFIGURE
            return
        self.phase = Phase.RUN
        self._events.append(NodeReady(self.boot_id or 0, self.clock.counts))

    # What a poll shows

    def _shown(self, request: Request, words: list[int], now_ns: int) -> None:
        result = r.get(r.STATUS, words, "result")
        if self._has_booted(r.get(r.STATUS, words, "boot_id")) or self._is_superseded(result):
            return
        self._take_status(words, now_ns)
        edges = words[r.STATUS.n_words :]
        outcomes = edges[r.EDGES.n_words :]
        if request.block is r.CONFIG:
            self._configured(result, edges, outcomes)
        elif result == r.Result.NOT_TAKEN:
            self.phase = Phase.IDENTIFY
        else:
            self._take_edges(edges)
            self._take_outcomes(outcomes)
            if self._n_edges > 0 or self._n_outcomes > 0:
                self._next_poll_ns = now_ns

    def _take_status(self, words: list[int], now_ns: int) -> None:
        speed = r.get(r.STATUS, words, "speed")
        counts_per_s = speed - 2**32 if speed >= 2**31 else speed
        self.clock.fix(r.get(r.STATUS, words, "counts"), counts_per_s, self._sent_ns, now_ns)
        self.outputs = r.get(r.STATUS, words, "outputs")
        self._n_edges = r.get(r.STATUS, words, "n_edges")
        self._n_outcomes = r.get(r.STATUS, words, "n_outcomes")
        self._change_state(r.get(r.STATUS, words, "state"), r.get(r.STATUS, words, "safe_reason"))

    def _change_state(self, state: int, safe_reason: int) -> None:
        was_safe = self.state is r.NodeState.SAFE
        self.state = r.NodeState(state)
        if self.state is r.NodeState.SAFE and not was_safe:
            self._events.append(NodeWentSafe(safe_reason))
        elif was_safe and self.state is not r.NodeState.SAFE:
            self._events.append(NodeCleared())

    def _configured(self, result: int, edges: list[int], outcomes: list[int]) -> None:
        if result != r.Result.OK:
            self._events.append(ConfigRefused(result))
            self.phase = Phase.ENDED if result == r.Result.BAD_CONFIG else Phase.IDENTIFY
            return
        self._edges_next = r.get(r.EDGES, edges, "first")
        self._outcomes_next = r.get(r.OUTCOMES, outcomes, "first")
        self.phase = Phase.VERIFY

    def _take_edges(self, words: list[int]) -> None:
        first, n_kept = r.get(r.EDGES, words, "first"), r.get(r.EDGES, words, "n_kept")
        if n_lost := (first - self._edges_next) % 2**16:
            self._events.append(EdgesLost(n_lost))
        start = r.EDGES.at("edge")
        n_shown = min(n_kept, (len(words[: r.EDGES.n_words]) - start) // r.EDGE_WORDS)
        for at in range(start, start + n_shown * r.EDGE_WORDS, r.EDGE_WORDS):
            what, high, low = words[at : at + r.EDGE_WORDS]
            is_blocked = bool(what & r.EDGE_BLOCKED)
            self._events.append(EdgeSeen(what % r.EDGE_BLOCKED, is_blocked, high << 16 | low))
        self._edges_next = (first + n_shown) % 2**16
        self._n_edges -= n_shown

    def _take_outcomes(self, words: list[int]) -> None:
        if not words:
            return
        first, n_kept = r.get(r.OUTCOMES, words, "first"), r.get(r.OUTCOMES, words, "n_kept")
        if n_lost := (first - self._outcomes_next) % 2**16:
            self._events.append(OutcomesLost(n_lost))
            self._are_outcomes_lost = True
        n_shown = min(n_kept, r.N_OUTCOMES_SHOWN)
        start = r.OUTCOMES.at("outcome")
        for at in range(start, start + n_shown * r.OUTCOME_WORDS, r.OUTCOME_WORDS):
            self._take_outcome(words[at : at + r.OUTCOME_WORDS])
        self._outcomes_next = (first + n_shown) % 2**16
        self._n_outcomes -= n_shown
        if self._are_outcomes_lost and n_kept == n_shown:
            self._are_outcomes_lost = False
            self._forget([seq for seq, divert in self._diverts.items() if self._has_passed(divert)])

    def _has_passed(self, divert: Divert) -> bool:
        return (self.clock.counts - divert.void_counts) % 2**32 in range(1, 2**31)

    def _take_outcome(self, words: list[int]) -> None:
        seq, counts = words[0] << 16 | words[1], words[3] << 16 | words[4]
        if words[2] >> 8 not in OUTCOME_KINDS:
            return
        kind, why = r.OutcomeKind(words[2] >> 8), words[2] & 0xFF
        if kind is r.OutcomeKind.CONFIRMED:
            self._events.append(DivertEnded(seq, kind, why, counts))
        elif seq in self._diverts and why == r.Result.OLD_SEQ:
            self._forget([seq])
        elif seq in self._diverts:
            self._end(seq, kind, why, counts)

    def _end(self, seq: int, kind: r.OutcomeKind, why: int, counts: int) -> None:
        self._diverts.pop(seq, None)
        self._events.append(DivertEnded(seq, kind, why, counts))
