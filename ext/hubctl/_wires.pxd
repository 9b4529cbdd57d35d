"""What is wired, in C, and how each node, poll and output stands."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from hubctl._tables cimport Counter, DeviceStep, Level, Link, NodeWire, Output, Poll, Signal

cdef enum:
    N_LEADS = 64           # belts of a hub

cdef enum NodeState:
    ABSENT = 0             # no connection
    PREPARING = 1          # its profile's steps: what it is, out of its safe state, ready; or, stopping, to a stop
    CLEARING = 2           # all coils are being written off
    CHECKING = 3           # and read back
    BASELINE = 4           # inputs are read for the first time
    UP = 5
    SAFE = 6               # stopping: coils proved off
    UNSAFE = 7             # stopping: coils not proved off

cdef enum RescueStage:
    RESCUE_NONE = 0
    RESCUE_CLEARS = 1      # it is brought out of its safe state, and then asked anew what it is
    RESCUE_DONE = 2

cdef enum OutputPhase:
    IDLE = 0
    HOLDING = 1            # ON was written, OFF is due at due_ns
    OFF_DUE = 2
    OFF_SENT = 3
    CHECK_DUE = 4          # OFF was not confirmed: read back before it is written again
    CHECK_SENT = 5

cdef struct NodeStatus:
    int state
    int n_failures
    int n_polls
    bint waiting           # a request of the re-synchronisation is under way
    int64_t retry_ns       # while not UP nothing is sent before
    int step               # of its profile: the next one
    int last_step          # and the one behind the last
    int rescue             # RescueStage: out of a safe state that hides what the device is
    int keep               # which of what is done in turn is next
    int turn               # which of a step's words
    int64_t keep_due_ns
    int fault              # 1 + the step whose answer keeps it down; 0: none does
    int fault_exception    # by which it was answered; 0: by `fault_word`
    int fault_word         # first word or byte that is another
    int told               # 1 + the word that it told last, by a step that wants it; 0: none since it was begun with

cdef struct PollStatus:
    bint waiting
    bint has_image
    int first_signal
    int n_signals
    int first_counter
    int n_counters
    int64_t due_ns
    int64_t sampled_ns
    uint8_t[250] image

cdef struct OutputStatus:
    int phase
    bint listed            # in the master's list of active outputs
    int64_t due_ns

cdef struct LevelStatus:
    int wanted             # 1 on, 0 off
    int written            # as the node confirmed it; -1: not known
    int sent
    bint waiting

# Two samples of a belt's count by the node with our firmware that has its encoder.
cdef struct Lead:
    bint has_counts
    uint32_t counts
    int64_t t_ns
    uint32_t counts_before
    int64_t before_ns      # 0: there is only one sample
    uint32_t boot_id       # of the node: after another boot its counts begin anew

# What is wired, and how it stands; one for a hub, each row used by the one master of its link.
cdef struct Field:
    const Link* links
    const NodeWire* nodes
    const Poll* polls
    const Signal* signals
    const Counter* counters
    const Output* outputs
    const Level* levels
    const DeviceStep* steps
    int n_links
    int n_nodes
    int n_polls
    int n_signals
    int n_counters
    int n_outputs
    int n_levels
    int n_steps
    int64_t fire_due_ns    # a coil may have to be written then; INT64_MAX: none is foreseen
    NodeStatus* node_status
    PollStatus* poll_status
    OutputStatus* output_status
    LevelStatus* level_status
    uint32_t epoch         # of this host, for nodes with our firmware: above that of every one before
    Lead[64] leads         # by belt

cdef class Wires:
    """The field of a hub's wiring, and the memory it stands on."""
    cdef Field field
    cdef object _keep

    cdef _take(self)
    cdef _join(self)
