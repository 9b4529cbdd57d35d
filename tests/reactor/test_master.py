"""One link's Modbus master, by bytes and times alone: coming up, edges, pulses, breaker, stopping."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rig import MS, NodeModel, wiring_of

from hubctl._master import ModbusMaster
from hubctl.core.events import NO_COUNTS, RECORD, Flag, Kind, Reason, Records, empty
from hubctl.core.tables import LinkKind, Wiring

ABSENT, PREPARING, CLEARING, CHECKING, BASELINE, UP, SAFE, UNSAFE = range(8)
PERIOD_NS = 5 * MS
DISCRETE = {"node": 0, "function": 2, "address": 0, "count": 16, "period_ns": PERIOD_NS}
REGISTERS = {"node": 0, "function": 4, "address": 0, "count": 3, "period_ns": PERIOD_NS}


class Talk:
    """A master and a node that answer each other, a set time a round."""

    def __init__(self, wiring: Wiring, node: NodeModel | None = None, round_ns: int = 2 * MS) -> None:
        self.master = ModbusMaster(wiring, 0, RECORD)
        self.node = node or NodeModel(rtu=wiring.links["kind"][0] != LinkKind.MODBUS_TCP)
        self.round_ns = round_ns
        self.now_ns = 1000 * MS
        self.told: list[np.void] = []
        self.master.connect(self.now_ns)

    def round(self) -> list[np.void]:
        """One exchange, and what it told."""
        sent = self.master.pump(self.now_ns)
        self.now_ns += self.round_ns
        answer = self.node.receive(sent)
        if answer:
            self.master.receive(answer, self.now_ns)
        news = list(self.master.records())
        self.told += news
        return news

    def rounds(self, n: int) -> list[np.void]:
        return [record for _ in range(n) for record in self.round()]

    def until_up(self) -> list[np.void]:
        news: list[np.void] = []
        while self.master.node_states[0] != UP:
            news += self.round()
            assert len(self.node.requests) < 50
        return news

    def fire(self, chute: int = 0, *, void_in_ms: int = 20, seq: int = 1) -> None:
        self.master.fire(fire_of(chute, self.now_ns, void_in_ms=void_in_ms, seq=seq), self.now_ns)


def fire_of(chute: int, now_ns: int, *, void_in_ms: int = 20, seq: int = 1) -> Records:
    command = empty(1)
    command["kind"], command["chute"], command["seq"], command["parcel"] = Kind.FIRE_OUTPUT, chute, seq, 7
    command["due_ns"], command["value"] = now_ns, now_ns + void_in_ms * MS
    return command


def kinds(records: list[np.void]) -> list[str]:
    return [Kind(record["kind"]).name for record in records]


def of_kind(records: list[np.void], kind: Kind) -> list[np.void]:
    return [record for record in records if record["kind"] == kind]


def reasons(records: list[np.void]) -> list[str]:
    return [Reason(record["reason"]).name for record in of_kind(records, Kind.FIRE_RESULT)]


def signal(offset: int, kind: Kind, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"poll": 0, "offset": offset, "kind": kind, "index": index, "belt": 0xFFFF, **more}


# Coming up


@pytest.mark.parametrize("kind", [LinkKind.MODBUS_TCP, LinkKind.MODBUS_RTU, LinkKind.MODBUS_RTU_TCP])
def test_a_node_comes_up_after_its_coils_were_proved_off_and_its_inputs_read(kind: LinkKind) -> None:
    talk = Talk(wiring_of(kind=kind, polls=[DISCRETE]))
    talk.node.coils[1] = 1
    news = talk.until_up()
    assert [request[1] for request in talk.node.requests] == [15, 1, 2]
    assert not any(talk.node.coils)
    assert kinds(news) == ["NODE"]
    assert news[0]["value"] == 1


def test_a_coil_that_stays_on_keeps_the_node_down() -> None:
    talk = Talk(wiring_of())
    talk.node.spoil = lambda frame: frame[:-1] + b"\x04" if frame[7] == 1 else frame
    talk.rounds(200)
    assert talk.master.node_states[0] in (CLEARING, CHECKING)
    assert talk.told == []


def test_the_first_image_tells_levels_and_invents_no_edges() -> None:
    signals = [signal(0, Kind.EYE, 3), signal(1, Kind.CONFIRM, 1), signal(2, Kind.CHUTE_LEVEL, 2)]
    talk = Talk(wiring_of(polls=[DISCRETE], signals=signals))
    talk.node.discrete[0:3] = b"\1\1\1"
    news = talk.until_up()
    assert kinds(news) == ["CHUTE_LEVEL", "NODE"]
    assert (news[0]["chute"], news[0]["value"]) == (2, 1)


def test_a_node_without_outputs_or_polls_is_up_at_once() -> None:
    talk = Talk(wiring_of(n_outputs=0))
    talk.round()
    assert talk.master.node_states == [UP]


# Edges and counters


def test_an_edge_lies_half_way_between_its_samples() -> None:
    talk = Talk(wiring_of(polls=[DISCRETE], signals=[signal(5, Kind.EYE, 2)]))
    talk.until_up()
    before_ns = talk.now_ns - MS  # half a round before the answer
    talk.node.discrete[5] = 1
    news: list[np.void] = []
    while not news:
        news = talk.round()
    (edge,) = news
    assert (edge["device"], edge["value"], edge["counts"]) == (2, 1, NO_COUNTS)
    assert edge["t_ns"] == (before_ns + talk.now_ns - MS) // 2


def test_an_inverted_input_is_told_as_the_eye_sees() -> None:
    talk = Talk(wiring_of(polls=[DISCRETE], signals=[signal(0, Kind.CONFIRM, 1, invert=1)]))
    talk.until_up()
    talk.node.discrete[0] = 1
    assert of_kind(talk.rounds(5), Kind.CONFIRM)[0]["value"] == 0


@pytest.mark.parametrize(
    ("bits", "low_first", "before", "after", "middle"),
    [
        (16, 0, 100, 110, 105),
        (16, 0, 65530, 4, 65535),
        (32, 0, 0x0001FFFE, 0x00020002, 0x00020000),
        (32, 1, 0xFFFFFFFE, 0x00000002, 0),
        (24, 0, 0xFFFFFC, 0x000004, 0),
        (32, 0, 1000, 990, 995),
    ],
)
def test_a_counter_in_the_same_reply_gives_an_edge_its_count(
    bits: int, low_first: int, before: int, after: int, middle: int
) -> None:
    counter = {"poll": 0, "register": 0, "bits": bits, "low_word_first": low_first, "belt": 0}
    signals = [signal(2 * 16 + 9, Kind.EYE, 1, belt=0)]
    talk = Talk(wiring_of(polls=[REGISTERS], signals=signals, counters=[counter]))
    talk.node.registers[:3] = [*words(before, bits, low_first), 0]
    talk.until_up()
    talk.node.registers[:3] = [*words(after, bits, low_first), 1 << 9]
    news = of_kind(talk.rounds(3), Kind.EYE)
    assert (news[0]["counts"], news[0]["flags"]) == (middle, Flag.LATCHED)
    encoder = of_kind(talk.told, Kind.ENCODER)
    assert {int(record["counts"]) for record in encoder} == {before, after}


def words(count: int, bits: int, low_first: int) -> list[int]:
    if bits == 16:
        return [count, 0]
    high_first = [count >> 16, count & 0xFFFF]
    return high_first[::-1] if low_first else high_first


def test_the_encoder_comes_after_the_edges_of_its_reply() -> None:
    counter = {"poll": 0, "register": 0, "bits": 32, "low_word_first": 0, "belt": 0}
    talk = Talk(wiring_of(polls=[REGISTERS], signals=[signal(32, Kind.EYE, 0, belt=0)], counters=[counter]))
    talk.until_up()
    talk.node.registers[2] = 1
    news: list[np.void] = []
    while "EYE" not in kinds(news):
        news = talk.round()
    assert kinds(news) == ["EYE", "ENCODER"]


def test_polls_keep_their_schedule_and_skip_what_has_passed() -> None:
    talk = Talk(wiring_of(n_outputs=0, polls=[DISCRETE]), round_ns=MS)
    start_ns = talk.now_ns
    sent_at = []
    for _ in range(100):
        before = len(talk.node.requests)
        now_ns = talk.now_ns
        talk.round()
        if len(talk.node.requests) > before:
            sent_at.append(now_ns - start_ns)
    assert sent_at == [i * PERIOD_NS for i in range(20)]


def test_who_is_awake_sends_a_poll_that_is_almost_due_and_the_schedule_stays() -> None:
    talk = Talk(wiring_of(n_outputs=0, polls=[DISCRETE]), round_ns=MS)
    start_ns = talk.now_ns
    talk.round()
    early_ns = MS // 4  # an eighth of its period, but no more than this
    assert talk.master.pump(start_ns + PERIOD_NS - early_ns - 1) == b""
    assert talk.master.next_deadline(talk.now_ns) == start_ns + PERIOD_NS
    talk.now_ns = start_ns + PERIOD_NS - early_ns
    talk.round()
    assert len(talk.node.requests) == 2
    assert talk.master.next_deadline(talk.now_ns) == start_ns + 2 * PERIOD_NS


def test_a_slow_reply_costs_its_slots_only() -> None:
    talk = Talk(wiring_of(n_outputs=0, polls=[DISCRETE]), round_ns=7 * MS)
    talk.rounds(20)
    assert len(talk.node.requests) == 20


# Fires


def test_a_fire_goes_on_and_off_again_after_its_hold() -> None:
    talk = Talk(wiring_of(hold_ms=50))
    talk.until_up()
    fired_ns = talk.now_ns
    talk.fire(2)
    assert reasons(talk.round()) == ["OK"]
    assert talk.node.coils[2] == 1
    while talk.node.coils[2]:
        talk.round()
    assert talk.now_ns - talk.round_ns >= fired_ns + 50 * MS
    assert talk.now_ns - talk.round_ns <= fired_ns + 52 * MS
    talk.rounds(5)
    assert [request[1:5].hex() for request in talk.node.requests[2:]] == ["050002ff", "05000200"]


def test_a_fire_again_within_the_hold_stays_on_from_then() -> None:
    talk = Talk(wiring_of(hold_ms=50))
    talk.until_up()
    talk.fire(0)
    talk.rounds(20)
    again_ns = talk.now_ns
    talk.fire(0, seq=2)
    talk.round()
    while talk.node.coils[0]:
        talk.round()
    assert talk.now_ns >= again_ns + 50 * MS


def test_a_fire_for_a_node_that_is_not_up_is_not_written() -> None:
    talk = Talk(wiring_of())
    talk.fire()
    assert reasons(talk.round()) == ["NODE_DOWN"]


def test_a_fire_that_comes_too_late_is_not_written() -> None:
    talk = Talk(wiring_of())
    talk.until_up()
    talk.fire(void_in_ms=-1)
    talk.round()
    assert reasons(talk.told) == ["MISSED_WINDOW"]
    assert not any(talk.node.coils)


def test_a_fire_waits_for_the_channel_and_is_voided_when_it_waits_too_long() -> None:
    talk = Talk(wiring_of())
    talk.until_up()
    talk.node.is_silent = True
    talk.fire(0, void_in_ms=20, seq=1)
    talk.fire(1, void_in_ms=20, seq=2)
    news = talk.rounds(20)
    assert [(record["seq"], Reason(record["reason"]).name) for record in of_kind(news, Kind.FIRE_RESULT)] == [
        (1, "OK"),
        (2, "MISSED_WINDOW"),
    ]
    void_ns = of_kind(news, Kind.FIRE_RESULT)[1]["t_ns"]
    assert void_ns <= 1000 * MS + 40 * MS + talk.round_ns


def test_with_several_in_flight_a_fire_need_not_wait_for_an_answer() -> None:
    talk = Talk(wiring_of(in_flight_max=4))
    talk.until_up()
    talk.node.is_silent = True
    for chute in range(4):
        talk.fire(chute, seq=chute)
    assert reasons(talk.round()) == ["OK"] * 4


def test_a_command_finds_a_free_place_among_polls() -> None:
    polls = [{**DISCRETE, "address": 16 * i} for i in range(4)]
    talk = Talk(wiring_of(in_flight_max=2, polls=polls))
    talk.until_up()
    talk.node.is_silent = True
    talk.now_ns += PERIOD_NS
    talk.round()
    talk.fire()
    assert reasons(talk.round()) == ["OK"]


def test_commands_go_before_polls() -> None:
    talk = Talk(wiring_of(polls=[DISCRETE]))
    talk.until_up()
    talk.now_ns += PERIOD_NS
    talk.fire()
    talk.round()
    assert talk.node.requests[-1][1] == 5


def test_an_unanswered_on_is_still_followed_by_its_off_and_never_repeated() -> None:
    talk = Talk(wiring_of(hold_ms=50))
    talk.until_up()
    talk.node.is_silent = True
    talk.fire(0)
    talk.rounds(40)
    talk.node.is_silent = False
    talk.rounds(60)
    writes = [request[1:5].hex() for request in talk.node.requests if request[1] == 5]
    assert writes[0] == "050000ff"
    assert "050000ff" not in writes[1:]
    assert writes[1:] == ["05000000"]


def test_an_unconfirmed_off_is_read_back_before_it_is_written_again() -> None:
    talk = Talk(wiring_of(hold_ms=50))
    talk.until_up()
    talk.fire(0)
    talk.rounds(20)
    talk.node.spoil = lambda frame: b""
    talk.rounds(30)  # the OFF is written, its answer lost
    talk.node.spoil = lambda frame: frame
    talk.node.coils[0] = 1  # and the device did not obey
    talk.rounds(60)
    tail = [request[1] for request in talk.node.requests[3:]]
    assert tail == [5, 1, 5]
    assert talk.node.coils[0] == 0


# The breaker


def test_three_timeouts_in_a_row_take_a_node_down_and_a_full_resynchronisation_brings_it_back() -> None:
    talk = Talk(wiring_of(polls=[DISCRETE]))
    talk.until_up()
    talk.node.is_silent = True
    news: list[np.void] = []
    while not news:
        news = talk.round()
    assert (kinds(news), news[0]["value"]) == (["NODE"], 0)
    silent_from = len(talk.node.requests)
    talk.rounds(1000)
    assert len(talk.node.requests) - silent_from <= 4  # slow probes: 2 s at one in 600 ms
    talk.node.is_silent = False
    n_before = len(talk.node.requests)
    news = talk.until_up()
    assert [request[1] for request in talk.node.requests[n_before:]][:3] == [15, 1, 2]
    assert news[-1]["value"] == 1


def test_one_silent_node_leaves_its_neighbour_on_the_line_alone() -> None:
    polls = [{**DISCRETE, "node": 0}, {**DISCRETE, "node": 1}]
    talk = Talk(wiring_of(n_nodes=2, polls=polls))
    while talk.master.node_states != [UP, UP]:
        talk.round()
    answers = talk.node.receive
    talk.node.receive = lambda data: answers(data) if data and data[6] == 2 else b""  # type: ignore[method-assign]
    talk.rounds(300)
    assert talk.master.node_states[0] != UP
    assert talk.master.node_states[1] == UP
    downs = of_kind(talk.told, Kind.NODE)[2:]
    assert [(record["device"], record["value"]) for record in downs] == [(0, 0)]


def test_exceptions_in_a_row_take_a_node_down() -> None:
    talk = Talk(wiring_of(polls=[DISCRETE]))
    talk.until_up()
    talk.node.spoil = lambda frame: (
        frame[:4] + b"\0\3" + frame[6:7] + bytes([frame[7] | 0x80, 2]) if frame else frame
    )
    talk.rounds(30)
    assert talk.master.node_states[0] != UP


def test_queued_fires_learn_that_their_node_is_down() -> None:
    talk = Talk(wiring_of(polls=[DISCRETE]))
    talk.until_up()
    talk.node.is_silent = True
    talk.rounds(120)
    talk.fire(void_in_ms=1000)
    talk.fire(void_in_ms=1000, seq=2)
    talk.fire(void_in_ms=1000, seq=3)
    assert "NODE_DOWN" in reasons(talk.rounds(200))


# The end of a connection, and the end


def test_a_lost_link_takes_its_nodes_down_and_its_fires_with_them() -> None:
    talk = Talk(wiring_of())
    talk.until_up()
    talk.node.is_silent = True
    talk.fire(0)
    talk.fire(1, seq=2)
    talk.master.pump(talk.now_ns)
    talk.master.disconnect(talk.now_ns)
    news = list(talk.master.records())
    assert reasons(news) == ["OK", "NODE_DOWN"]
    assert [(record["device"], record["value"]) for record in of_kind(news, Kind.NODE)] == [(0, 0)]
    assert talk.master.pump(talk.now_ns) == b""


def test_stopping_switches_every_coil_off_and_proves_it() -> None:
    talk = Talk(wiring_of(polls=[DISCRETE]))
    talk.until_up()
    talk.fire(1)
    talk.round()
    talk.master.make_safe(talk.now_ns)
    talk.fire(2)
    while not talk.master.settled:
        talk.round()
    assert not any(talk.node.coils)
    assert talk.master.node_states == [SAFE]
    assert reasons(talk.told) == ["OK", "NODE_DOWN"]


def test_stopping_gives_up_on_a_node_that_does_not_answer() -> None:
    talk = Talk(wiring_of())
    talk.until_up()
    talk.node.is_silent = True
    talk.master.make_safe(talk.now_ns)
    talk.rounds(120)
    assert talk.master.settled
    assert talk.master.node_states == [UNSAFE]


def test_deadlines_never_lie_in_the_past_nor_stand_still() -> None:
    talk = Talk(wiring_of(polls=[DISCRETE]))
    for i in range(300):
        talk.node.is_silent = 100 < i < 200
        talk.round()
        talk.master.pump(talk.now_ns)
        assert talk.master.next_deadline(talk.now_ns) > talk.now_ns


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"polls": [{**DISCRETE, "function": 7}]}, "function 7"),
        ({"polls": [{**DISCRETE, "count": 2001}]}, "2001"),
        ({"polls": [{**DISCRETE, "node": 5}]}, "row 5"),
        ({"polls": [DISCRETE], "signals": [signal(16, Kind.EYE)]}, "bit 16"),
        ({"polls": [REGISTERS], "counters": [{"poll": 0, "register": 2, "bits": 32}]}, "bit 32"),
    ],
)
def test_a_wiring_that_leads_nowhere_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModbusMaster(wiring_of(**change), 0, RECORD)


def test_a_poll_keeps_out_of_the_way_of_a_fire_that_is_due() -> None:
    talk = Talk(wiring_of(polls=[DISCRETE]), round_ns=MS)
    talk.until_up()
    talk.rounds(50)
    while talk.master.pump(talk.now_ns):
        talk.round()
    talk.now_ns = talk.master.next_deadline(talk.now_ns)
    talk.master.expect_fire(talk.now_ns + MS // 2)
    assert talk.master.pump(talk.now_ns) == b""
    talk.fire()
    assert talk.master.pump(talk.now_ns + MS // 2)[7] == 5


def test_a_poll_waits_for_a_fire_at_most_half_its_period() -> None:
    talk = Talk(wiring_of(polls=[DISCRETE]), round_ns=MS)
    talk.until_up()
    talk.rounds(50)
    n_before = len(talk.node.requests)
    for _ in range(50):
        talk.master.expect_fire(talk.now_ns + 1)
        talk.round()
    assert len(talk.node.requests) - n_before >= 6


# Several coils by one request


def together() -> Wiring:
    wiring = wiring_of(kind=LinkKind.MODBUS_RTU, n_outputs=8)
    wiring.links["together"] = 1
    return wiring


def writes_of(talk: Talk) -> list[str]:
    return [request[1:].hex() for request in talk.node.requests if request[1] in (5, 15)]


def test_coils_side_by_side_go_on_and_off_by_one_request_each() -> None:
    talk = Talk(together())
    talk.until_up()
    before = len(writes_of(talk))
    for chute in (2, 4, 3):
        talk.fire(chute, seq=chute)
    assert sorted(record["seq"] for record in of_kind(talk.rounds(2), Kind.FIRE_RESULT)) == [2, 3, 4]
    assert list(talk.node.coils[:8]) == [0, 0, 1, 1, 1, 0, 0, 0]
    talk.rounds(60)
    assert not any(talk.node.coils)
    assert writes_of(talk)[before:] == ["0f000200030107", "0f000200030100"]


def test_a_coil_with_none_beside_it_goes_alone() -> None:
    talk = Talk(together())
    talk.until_up()
    before = len(writes_of(talk))
    for chute in (1, 3):
        talk.fire(chute, seq=chute)
    talk.rounds(60)
    assert writes_of(talk)[before:] == ["050001ff00", "050003ff00", "0500010000", "0500030000"]


def test_one_coil_goes_off_as_its_neighbour_goes_on() -> None:
    talk = Talk(together())
    talk.until_up()
    talk.fire(5, seq=1)
    talk.rounds(2)  # an RTU line is quiet for a moment after each answer
    before = len(writes_of(talk))
    talk.now_ns += 50 * MS
    talk.fire(6, seq=2)
    talk.rounds(2)
    assert writes_of(talk)[before:] == ["0f000500020102"]
    assert list(talk.node.coils[4:8]) == [0, 0, 1, 0]


def test_a_group_that_is_not_confirmed_is_read_back() -> None:
    talk = Talk(together())
    talk.until_up()
    talk.fire(0, seq=1)
    talk.fire(1, seq=2)
    talk.rounds(2)
    talk.now_ns += 50 * MS
    talk.node.spoil = lambda frame: b""
    talk.rounds(30)
    talk.node.spoil = lambda frame: frame
    talk.node.coils[1] = 1  # the device did not obey
    before = len(talk.node.requests)
    talk.rounds(150)
    assert [request[1] for request in talk.node.requests[before:]][:2] == [1, 1]
    assert not any(talk.node.coils)


def test_a_coil_fired_twice_is_written_twice() -> None:
    talk = Talk(together())
    talk.until_up()
    for seq, chute in enumerate((0, 1, 0)):
        talk.fire(chute, seq=seq)
    assert len(of_kind(talk.rounds(4), Kind.FIRE_RESULT)) == 3
