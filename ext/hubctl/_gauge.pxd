"""Scales and gauges of size: a stream of bytes to weights, sizes and counted garbage."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from hubctl._tables cimport Gauging

cdef enum:
    GAUGE_MAX = 256        # of one telegram
    N_GAUGE_KINDS = 13

cdef enum GaugeKind:
    GAUGED = 0
    NOTHING = 1
    MOVING = 2
    REPEATED = 3
    TOO_MUCH = 4
    TOO_LITTLE = 5
    AT_FAULT = 6
    GAUGE_ANSWER = 7
    MALFORMED = 8
    BAD_CHECK = 9
    GAUGE_HALF = 10
    GAUGE_OVERLONG = 11
    GAUGE_NOISE = 12

cdef struct GaugeEvent:
    int kind
    int64_t weight_g       # of GAUGED; 0: it was not weighed
    int64_t length_mm      # of GAUGED; 0: it was not measured
    int64_t width_mm
    int64_t height_mm

cdef struct Gauge:
    Gauging row
    bint inside            # after the start of a telegram
    bint skipping          # the telegram in progress is garbage, told already
    bint noisy             # the bytes between telegrams were told already
    bint awaits_check      # one byte more, whatever it is
    int n
    int64_t said_g         # stable weight that was told, while it lies there
    int64_t last_ns
    uint8_t[256] buffer
    uint64_t[13] told      # by GaugeKind

cdef void gauge_init(Gauge* g, const Gauging* row) noexcept nogil
cdef void gauge_reset(Gauge* g) noexcept nogil
# Takes bytes from at[0] up to `end` until one event is complete: 1, or 0 when all are taken.
cdef int gauge_next(Gauge* g, const uint8_t** at, const uint8_t* end, GaugeEvent* event) noexcept nogil
# Tells the gauge that bytes came, or that time has passed; first the telegram that silence has ended: 1 or 0.
cdef int gauge_received(Gauge* g, int64_t now_ns, GaugeEvent* event) noexcept nogil
cdef int64_t gauge_next_deadline(const Gauge* g) noexcept nogil
