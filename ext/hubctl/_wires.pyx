"""The rows of a wiring as C arrays, checked once, so that compiled code may trust every index."""

from libc.stdint cimport INT64_MAX
from libc.stdlib cimport calloc, free

import numpy as np

from hubctl.core.events import Kind
from hubctl.core.tables import StepRule

from hubctl._records cimport NO_INDEX
from hubctl._tables cimport Counter, DeviceStep, Level, Link, NodeWire, Output, Poll, Signal

cdef enum:
    N_COILS_MAX = 1968     # one write of function 15
    STEP_BYTES_MAX = 40    # of a step's row


_COMPARES = (StepRule.EQUAL, StepRule.CONTAIN)
_CHOOSES = (StepRule.TURN, StepRule.ONE_OF)


cdef class Wires:
    """The rows of a `Wiring` as C arrays, with the state of each node, poll and output.

    Raises
    ------
    ValueError
        A table refers to a row that is not there, or asks for more than one reply holds.
    """

    def __init__(self, wiring):
        tables = [np.ascontiguousarray(table) for table in wiring]
        _check(wiring)
        self._keep = tables
        _point(&self.field, tables)
        self._take()
        self._join()

    cdef _take(self):
        """Memory for the state of each row."""
        cdef Field* f = &self.field
        f.fire_due_ns = INT64_MAX
        f.node_status = <NodeStatus*>calloc(f.n_nodes + 1, sizeof(NodeStatus))
        f.poll_status = <PollStatus*>calloc(f.n_polls + 1, sizeof(PollStatus))
        f.output_status = <OutputStatus*>calloc(f.n_outputs + 1, sizeof(OutputStatus))
        f.level_status = <LevelStatus*>calloc(f.n_levels + 1, sizeof(LevelStatus))
        if f.level_status is NULL or f.node_status is NULL or f.poll_status is NULL or f.output_status is NULL:
            raise MemoryError("no memory for the state of the wiring")

    def __dealloc__(self):
        free(self.field.node_status)
        free(self.field.poll_status)
        free(self.field.output_status)
        free(self.field.level_status)

    def faults(self) -> list[tuple[int, int, int] | None]:
        """For each node: the step that keeps it down, the exception by which it was answered, or the word that is another."""
        cdef NodeStatus* s = self.field.node_status
        return [
            (s[i].fault - 1, s[i].fault_exception, s[i].fault_word) if s[i].fault else None
            for i in range(self.field.n_nodes)
        ]

    def told(self) -> list[int | None]:
        """For each node: the word that its profile wants shown, None while it is not known."""
        cdef NodeStatus* s = self.field.node_status
        return [s[i].told - 1 if s[i].state == UP and s[i].told else None for i in range(self.field.n_nodes)]

    cdef _join(self):
        """Gives each poll its rows of signals and counters, which are sorted by poll."""
        cdef Field* f = &self.field
        cdef int i
        for i in reversed(range(f.n_signals)):
            f.poll_status[f.signals[i].poll].first_signal = i
            f.poll_status[f.signals[i].poll].n_signals += 1
        for i in reversed(range(f.n_counters)):
            f.poll_status[f.counters[i].poll].first_counter = i
            f.poll_status[f.counters[i].poll].n_counters += 1
        for i in range(f.n_polls):
            f.node_status[f.polls[i].node].n_polls += 1


cdef _point(Field* f, list tables):
    f.links = <const Link*>_address(tables[0], sizeof(Link))
    f.nodes = <const NodeWire*>_address(tables[1], sizeof(NodeWire))
    f.polls = <const Poll*>_address(tables[2], sizeof(Poll))
    f.signals = <const Signal*>_address(tables[3], sizeof(Signal))
    f.counters = <const Counter*>_address(tables[4], sizeof(Counter))
    f.outputs = <const Output*>_address(tables[5], sizeof(Output))
    f.levels = <const Level*>_address(tables[7], sizeof(Level))
    f.n_levels = len(tables[7])
    f.steps = <const DeviceStep*>_address(tables[9], sizeof(DeviceStep))
    f.n_steps = len(tables[9])
    f.n_links, f.n_nodes, f.n_polls, f.n_signals, f.n_counters, f.n_outputs = (len(t) for t in tables[:6])


cdef size_t _address(table, size_t size) except? 0:
    if table.dtype.itemsize != size:
        raise ValueError(f"a row of {table.dtype.itemsize} bytes: must be {size}")
    return table.ctypes.data


def _check(wiring) -> None:
    """Refuses what would lead outside an array, before a pointer is taken."""
    _check_indices("node", wiring.nodes["link"], len(wiring.links))
    _check_indices("poll", wiring.polls["node"], len(wiring.nodes))
    _check_indices("signal", wiring.signals["poll"], len(wiring.polls))
    _check_indices("counter", wiring.counters["poll"], len(wiring.polls))
    outputs = wiring.outputs["node"]
    _check_indices("output", outputs[outputs != NO_INDEX], len(wiring.nodes))
    _check_indices("level", wiring.levels["node"], len(wiring.nodes))
    for name, rows in (("signal", wiring.signals["poll"]), ("counter", wiring.counters["poll"])):
        if len(rows) and (np.diff(rows.astype(np.int64)) < 0).any():
            raise ValueError(f"{name} rows: must be sorted by poll")
    for n_outputs in wiring.nodes["n_outputs"]:
        if n_outputs > N_COILS_MAX:
            raise ValueError(f"node with {n_outputs} outputs: must be at most {N_COILS_MAX}")
    for node in wiring.nodes:
        _check_steps(node, len(wiring.steps))
    for step in wiring.steps:
        _check_step(step)
    for function in wiring.levels["function"]:
        if function not in (5, 6):
            raise ValueError(f"level written by function {function}: must be 5 or 6")
    _check_indices("node's belt", wiring.nodes["belt"], N_LEADS)
    for poll in wiring.polls:
        _check_poll(int(poll["function"]), int(poll["count"]))
    for signal in wiring.signals:
        _check_offset("signal", wiring.polls[signal["poll"]], int(signal["offset"]), 1)
        if signal["kind"] == Kind.WEIGHT:
            _check_offset("weight", wiring.polls[signal["poll"]], int(signal["register"]) * 16, 16)
    for counter in wiring.counters:
        n_bits = 16 if counter["bits"] <= 16 else 32
        _check_offset("counter", wiring.polls[counter["poll"]], int(counter["register"]) * 16, n_bits)


def _check_indices(name: str, rows: np.ndarray, n: int) -> None:
    if len(rows) and rows.max() >= n:
        raise ValueError(f"{name} refers to row {rows.max()}: must be below {n}")


def _check_poll(function: int, count: int) -> None:
    most = {1: 2000, 2: 2000, 3: 125, 4: 125, 23: 1}.get(function)
    if most is None:
        raise ValueError(f"poll with function {function}: must be 1 to 4, or 23")
    if not 1 <= count <= most:
        raise ValueError(f"poll of {count} with function {function}: must be 1 to {most}")


def _check_steps(node: np.void, n_steps: int) -> None:
    n = sum(int(node[key]) for key in ("n_identity", "n_clear", "n_stop", "n_arm", "n_keep"))
    if n and int(node["first_step"]) + n > n_steps:
        raise ValueError(f"node with steps to {node['first_step'] + n}: must be at most {n_steps}")


def _check_step(step: np.void) -> None:
    function, count, n_bytes = (int(step[key]) for key in ("function", "count", "n_bytes"))
    if function not in (1, 2, 3, 4, 5, 6, 15, 16):
        raise ValueError(f"step with function {function}: must be 1 to 6, 15 or 16")
    most = STEP_BYTES_MAX * 8 if function in (1, 2, 15) else 125
    if not 1 <= count <= most or (function == 16 and 2 * count > STEP_BYTES_MAX):
        raise ValueError(f"step of {count} with function {function}: must be 1 to {most}, and fit into the row")
    room = (count + 7) // 8 if function in (1, 2, 5, 15) else 2 * count
    if n_bytes > STEP_BYTES_MAX or (step["rule"] in _COMPARES and int(step["skip_bytes"]) + n_bytes > room):
        raise ValueError(f"step that compares {n_bytes} bytes: must lie within {room}")
    if step["rule"] in _CHOOSES and (n_bytes < 2 or int(step["skip_bytes"]) + 2 > room):
        raise ValueError("step with several words: must have one, within what is read")
    if step["rule"] == StepRule.TELL and (function not in (3, 4) or int(step["skip_bytes"]) + 2 > room):
        raise ValueError("step that tells a word: must read registers, and that one among them")


def _check_offset(name: str, poll: np.void, offset: int, n_bits: int) -> None:
    room = int(poll["count"]) * (1 if poll["function"] <= 2 else 16)
    if offset + n_bits > room:
        raise ValueError(f"{name} at bit {offset} of its poll: must lie within {room} bits")
