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
    WEIGHT = 11
    SIZE = 12
    HOST_ANSWER = 13
    CODE = 14
    CHANGE = 15
    LIST = 16
    MACHINE = 17
    SAFETY = 18
    DIVERTER = 19
    HOME = 20
    CARRIER = 21
    EYE_IN_USE = 22
    TAKE_OFF = 23
    CLEAR_NODE = 24
    FIRE_OUTPUT = 64
    HOLD_INDUCT = 65
    RUN_BELT = 66
    SHOW_LIGHT = 67
    LAUNCH = 68
    ASK_HOST = 69
    ARM_DIVERT = 70
    CANCEL_DIVERT = 71
    LEAVE_SAFE = 72
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
    STATE_CHANGED = 109
    CHUTE_CHANGED = 110
    ANSWERED = 111
    TRANSFERRED = 112
    LAPPED = 113
    WEIGHED = 114
    SIZED = 115
    CODED = 116
    DRIFTED = 117
    RING_CHECKED = 118
    LOADED = 119
    LISTED = 120
    UNSEEN = 121
    LINK = 128

cdef enum Flag:
    LATCHED = 1
    UNEXPECTED_TRACK = 2
    TIMED = 4
    TRIGGERED = 8
    QUESTION = 16

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

cdef enum Alarm:
    ALARM_NODE_DOWN = 1
    ALARM_TRACKS_USED_UP = 2
    ALARM_JAM = 3
    ALARM_EYE_BLIND = 4
    ALARM_EYE_CHATTERS = 5
    ALARM_ENCODER_SILENT = 6
    ALARM_ENCODER_JUMPED = 7
    ALARM_BELT_DRIFTS = 8
    ALARM_DIVERTER_FAILS = 9
    ALARM_DIVERTER_STUCK_OUT = 10
    ALARM_SCANNER_SILENT = 11
    ALARM_SAME_LABEL = 12
    ALARM_GRIDLOCK = 13
    ALARM_RING_LOST = 14
    ALARM_CARRIER_FAILS = 15
    ALARM_CHUTE_NOT_EMPTIED = 16
    ALARM_SAFETY_TRIPPED = 17
    ALARM_HOST_SILENT = 18
    ALARM_NODE_SAFE = 19

cdef enum MachineState:
    STATE_CLEARING = 1
    STATE_STOPPED = 2
    STATE_STARTING = 3
    STATE_IDLE = 4
    STATE_SUSPENDED = 5
    STATE_EXECUTE = 6
    STATE_STOPPING = 7
    STATE_ABORTING = 8
    STATE_ABORTED = 9
    STATE_HOLDING = 10
    STATE_HELD = 11
    STATE_UNHOLDING = 12
    STATE_SUSPENDING = 13
    STATE_UNSUSPENDING = 14
    STATE_RESETTING = 15

cdef enum MachineCommand:
    DO_RESET = 1
    DO_START = 2
    DO_STOP = 3
    DO_HOLD = 4
    DO_UNHOLD = 5
    DO_SUSPEND = 6
    DO_UNSUSPEND = 7
    DO_ABORT = 8
    DO_CLEAR = 9

cdef enum TowerLight:
    LAMP_RED = 1
    LAMP_YELLOW = 2
    LAMP_GREEN = 4
    LAMP_RED_BLINKS = 8
    LAMP_YELLOW_BLINKS = 16
    LAMP_BUZZER = 32

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
    UNDERWEIGHT = 33
    NO_WEIGHT = 34

cdef enum:
    N_REASONS = 35
