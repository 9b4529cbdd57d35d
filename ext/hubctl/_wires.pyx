"""The rows of a wiring as C arrays, checked once, so that compiled code may trust every index."""

from libc.stdint cimport INT64_MAX
from libc.stdlib cimport calloc, free

import numpy as np

from hubctl.core.events import Kind

from hubctl._records cimport NO_INDEX
from hubctl._tables cimport Counter, Level, Link, NodeWire, Output, Poll, Signal

cdef enum:
    N_COILS_MAX = 1968     # one write of function 15


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


def _check_offset(name: str, poll: np.void, offset: int, n_bits: int) -> None:
    room = int(poll["count"]) * (1 if poll["function"] <= 2 else 16)
    if offset + n_bits > room:
        raise ValueError(f"{name} at bit {offset} of its poll: must lie within {room} bits")
