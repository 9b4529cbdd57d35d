"""The reactor's loop: bytes and timers in, kernel steps, bytes out; no Python from start to stop."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t

from hubctl._batch cimport Batch
from hubctl._dialogue cimport Dialogue
from hubctl._gauge cimport Gauge
from hubctl._histogram cimport Histogram
from hubctl._kernel cimport State
from hubctl._master cimport Master
from hubctl._merge cimport Merge
from hubctl._records cimport Record
from hubctl._ring cimport Ring
from hubctl._system cimport epoll_event
from hubctl._tables cimport Framing, Gauging
from hubctl._wheel cimport Wheels
from hubctl._wires cimport Field

cdef enum:
    N_EVENTS_MAX = 64
    READ_MAX = 4096

cdef enum Phase:
    RUNNING = 0
    STOPPING = 1
    STOPPED = 2

cdef enum Fault:
    FAULT_NONE = 0
    FAULT_CLOSED = 1
    FAULT_BROKEN = 2
    FAULT_FOREIGN = 3
    FAULT_GARBAGE = 4
    FAULT_STALLED = 5
    FAULT_REPLACED = 6
    FAULT_SILENT = 7

cdef struct LinkIo:
    int fd                     # -1: not connected. The loop owns it and closes it.
    int scanner                # row of the scanner, or -1 on another's link
    int scale                  # row of the scale, or -1 on another's link
    Dialogue dialogue          # with a scanner
    int64_t n_numbered         # triggers of the scanner whose number it was told
    Gauge gauge
    Master* master             # NULL on a link that does not speak Modbus
    Wheels* wheels             # NULL on a link that does not speak to wheel diverters
    uint64_t n_bytes
    uint64_t n_attached
    int fault                  # the last one

cdef struct Loop:
    State* kernel
    Field* field
    LinkIo* links
    uint16_t* link_of_chute
    int n_links
    int n_chutes
    int epoll_fd
    int timer_fd
    int bell_fd
    int phase
    int light                  # TowerLight last asked for
    int64_t armed_ns           # the timer rings then; INT64_MAX: it does not
    int64_t stepped_ns         # the kernel's last step
    uint64_t stop_by_ns        # asked for by Python; 0: run on
    uint64_t plan_next         # address asked for by Python; 0: keep
    Batch batch                # inputs for the next step
    Batch spare                # the one before, while it is being told
    bint has_numbered          # scanners that are told the numbers of their triggers
    bint has_sessions          # with nodes that have our firmware
    Merge merge                # then inputs wait here until every such node has told so far
    Record* out
    int n_out_max
    Ring inputs                # from Python
    Ring records               # to Python
    uint8_t[4096] scratch
    Histogram read_to_command
    Histogram fire_lateness
    uint64_t n_steps
    uint64_t n_fires           # written
    uint64_t n_voided          # not written
    bint is_safe               # after the stop: every coil proved off

cdef Loop* loop_new(Field* field, const Framing* framings, const Gauging* gaugings, uint64_t n_records) noexcept nogil
cdef void loop_free(Loop* l) noexcept nogil
cdef bint loop_open(Loop* l) noexcept nogil
cdef void loop_run(Loop* l) noexcept nogil
