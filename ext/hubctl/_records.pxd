"""The record and the numbers of `hubctl/core/events.py`, for compiled code. A test compares the two."""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t

cdef packed struct Record:
    int64_t t_ns
    int64_t counts
    int64_t parcel
    int64_t value
    int64_t limit
    int64_t due_ns
    uint32_t seq
    uint32_t plan
    uint16_t kind
    uint16_t device
    uint16_t chute
    uint16_t reason
    int32_t error_um
    uint16_t flags
    uint16_t n_text
    char[56] text

cdef extern from *:
    """
    #include <stdint.h>
    #define NO_COUNTS INT64_MIN
    """
    const int64_t NO_COUNTS

cdef enum:
    TEXT_MAX = 56
    NO_INDEX = 0xFFFF

cdef enum Kind:
    TICK = 1
    ENCODER = 2
    EYE = 3
    READ = 4
    CONFIRM = 5
    CHUTE_LEVEL = 6
    NODE = 7
    OPERATE = 8
    FIRE_RESULT = 9
    FLUSH = 10
    FIRE_OUTPUT = 64
    OPENED = 96
    MEASURED = 97
    READ_PLACED = 98
    READ_UNPLACED = 99
    DECIDED = 100
    SKIPPED = 101
    COMMITTED = 102
    FIRED = 103
    SEEN = 104
    CONFIRMED = 105
    CLOSED = 106
    ALARM_RAISED = 107
    ALARM_CLEARED = 108
    LINK = 128

cdef enum Flag:
    LATCHED = 1
    UNEXPECTED_TRACK = 2
    TIMED = 4

cdef enum Disposition:
    SORTED = 1
    RECIRCULATED = 2
    REJECTED = 3
    LOST_PARCEL = 4
    REMOVED_PARCEL = 5

cdef enum ChuteState:
    OPEN = 0
    NEARLY_FULL = 1
    FULL = 2
    CLOSING = 3
    CLOSED_BY_OPERATOR = 4
    DISABLED = 5
    FAULT = 6

cdef enum Reason:
    NONE = 0
    OK = 1
    OK_UNCONFIRMED = 2
    NO_READ = 3
    MULTI_LABEL = 4
    BAD_LABEL = 5
    AMBIGUOUS_READ = 6
    LATE_READ = 7
    NO_DATA = 8
    NOT_FOUND = 9
    HOST_TIMEOUT = 10
    NO_PLAN = 11
    NO_LANE = 12
    WAVE_MISSED = 13
    INTERCEPT = 14
    HELD = 15
    OVERSIZE = 16
    OVERWEIGHT = 17
    MULTI_PARCEL = 18
    GAP_TOO_SMALL = 19
    CHUTE_FULL = 20
    CHUTE_CLOSED = 21
    CHUTE_FAULT = 22
    RATE_LIMIT = 23
    MISSED_WINDOW = 24
    DIVERT_FAILED = 25
    NODE_DOWN = 26
    NOT_AT_SPEED = 27
    MAX_LAPS = 28
    UNEXPECTED = 29
    LOST = 30
    REMOVED = 31
    FLUSHED = 32

cdef enum:
    N_REASONS = 33
