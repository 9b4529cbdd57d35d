"""The tables of `hubctl/core/tables.py`, for compiled code. A test compares the two."""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t

cdef enum BeltKind:
    LINE = 0
    STATION = 1
    LOOP = 2

cdef enum EyeRole:
    INDUCT = 0
    TRACK = 1
    END = 2
    ORIGIN = 3
    CARRIER_EYE = 4
    LOAD = 5

cdef enum Stamp:
    STAMP_NONE = 0
    STAMP_TRIGGER = 1
    STAMP_ENCODER = 2

cdef enum LinkKind:
    MODBUS_TCP = 0
    MODBUS_RTU = 1
    SCANNER = 2
    MODBUS_RTU_TCP = 3
    SCALE = 8
    WHEEL = 9

cdef enum GaugeFormat:
    GAUGE_MT_SICS = 0
    GAUGE_TOLEDO = 1
    GAUGE_SICK = 2
    GAUGE_CUBISCAN = 3
    GAUGE_CSV = 4

cdef enum StepRule:
    STEP_WRITE = 0
    STEP_TURN = 1
    STEP_ANSWER = 2
    STEP_EQUAL = 3
    STEP_ONE_OF = 4
    STEP_CONTAIN = 5
    STEP_TELL = 6

cdef enum Protocol:
    PROTOCOL_PLAIN = 0
    PROTOCOL_DMCC = 1
    PROTOCOL_SSI = 2
    PROTOCOL_MSGGET = 3

cdef enum:
    N_PROTOCOLS = 4

cdef enum Answers:
    ANSWERS_NONE = 0
    ANSWERS_SOPAS = 1
    ANSWERS_KEYENCE = 2

cdef packed struct Belt:
    uint16_t kind
    uint16_t end_chute
    uint16_t encoder_node
    uint16_t counter_bits
    int32_t counts_per_m
    uint16_t run_node
    uint16_t stop_on_jam
    int64_t length_counts
    int64_t speed_counts_s
    int64_t speed_counts_s_min
    int64_t speed_counts_s_max
    int64_t recirculating_max
    int64_t laps_max
    int64_t parcel_counts_min
    int64_t parcel_counts_max
    int64_t stale_ns
    int64_t told_late_ns
    int64_t jitter_ns
    int64_t transfer_window_counts
    int64_t weight_g_max
    int32_t width_mm_max
    int32_t height_mm_max
    int64_t weight_required

cdef packed struct Eye:
    uint16_t belt
    uint16_t node
    uint16_t role
    uint16_t has_hold
    int64_t at_counts
    int64_t window_counts
    int64_t window_before_counts
    int64_t length_window_counts
    int64_t realign_counts
    int64_t debounce_counts
    int64_t jam_counts
    int64_t merge_counts
    int64_t merge_gap_counts
    int64_t launch_ns

cdef packed struct Scanner:
    uint16_t belt
    uint16_t stamp
    uint16_t trigger
    uint16_t reserved
    int64_t stamp_span
    int64_t repeat_counts
    int64_t silent_after
    int64_t at_counts
    int64_t latency_ns
    int64_t reach_counts

cdef packed struct Scale:
    uint16_t belt
    uint16_t reserved
    uint32_t reserved2
    int64_t at_counts
    int64_t latency_ns
    int64_t reach_counts

cdef packed struct Diverter:
    uint16_t belt
    uint16_t node
    uint16_t has_home
    uint16_t fails_max
    uint16_t is_armed
    uint16_t reserved
    uint32_t reserved2
    int64_t at_counts
    int64_t latency_ns
    int64_t hold_ns
    int64_t commit_ns
    int64_t void_ns
    int64_t cycle_ns
    int64_t home_ns
    int64_t weight_g_min
    int64_t weight_g_max
    int64_t clear_counts

cdef packed struct Chute:
    uint16_t diverter
    uint16_t node
    uint16_t has_confirm
    uint16_t confirm_node
    uint16_t to_belt
    uint16_t reserved
    uint32_t reserved2
    int64_t to_counts
    int64_t confirm_from_ns
    int64_t confirm_until_ns
    int64_t jam_ns
    int64_t full_on_ns
    int64_t full_off_ns
    int64_t count_max
    int64_t weight_g_max
    int64_t volume_ml_max
    int64_t nearly_full_count
    int32_t open_again_percent
    int32_t n_kept
    int64_t rate_parcels
    int64_t rate_mm
    int64_t rate_period_ns
    int64_t full_alarm_ns
    int64_t door_ns

cdef enum Policy:
    FIRST_OPEN = 0
    NEAREST = 1
    ROUND_ROBIN = 2
    LEAST_FILLED = 3
    BALANCE = 4

cdef packed struct Step:
    int32_t first
    uint16_t n_chutes
    uint16_t policy
    uint16_t slot
    uint16_t reserved
    uint32_t key

cdef packed struct Lane:
    int32_t first_step
    uint16_t n_steps
    uint16_t priority
    int32_t first_wave
    uint16_t n_waves
    uint16_t reserved
    int64_t lead_ns

cdef packed struct Wave:
    int64_t departs_ns
    int32_t first_step
    uint16_t n_steps
    uint16_t reserved

cdef packed struct Machine:
    uint16_t is_there
    uint16_t reserved
    uint32_t reserved2
    int64_t warning_ns
    int64_t drain_ns

cdef packed struct Ring:
    int32_t n_carriers
    int32_t first_carrier
    uint16_t first_eye
    uint16_t n_eyes
    uint16_t carrier_eye
    uint16_t failures_max
    int64_t carrier_counts
    int64_t pair_counts

cdef packed struct Host:
    uint16_t is_asked
    uint16_t silent_after
    uint32_t reserved
    int64_t timeout_ns

cdef packed struct Link:
    uint16_t kind
    uint16_t scanner
    uint16_t in_flight_max
    uint16_t together
    int64_t baud
    int64_t gap_ns
    int64_t settle_ns

cdef packed struct NodeWire:
    uint16_t link
    uint16_t unit
    uint16_t n_outputs
    uint16_t is_native
    int64_t timeout_ns
    int64_t period_ns
    uint16_t belt
    uint16_t leads
    uint16_t watchdog_ms
    uint16_t encoder_mode
    uint16_t first_coil
    uint16_t shown_by
    uint16_t safe_exception
    uint16_t first_step
    uint16_t n_identity
    uint16_t n_clear
    uint16_t n_stop
    uint16_t n_arm
    uint16_t n_keep
    int64_t keep_ns

cdef packed struct DeviceStep:
    uint16_t rule
    uint16_t function
    uint16_t address
    uint16_t count
    uint16_t skip_bytes
    uint16_t n_bytes
    uint16_t optional
    char[40] data
    char[40] mask

cdef packed struct Poll:
    uint16_t node
    uint16_t function
    uint16_t address
    uint16_t count
    int64_t period_ns

cdef packed struct Signal:
    uint16_t poll
    uint16_t offset
    uint16_t kind
    uint16_t index
    uint16_t invert
    uint16_t belt
    uint16_t register
    uint16_t g_per_count
    uint16_t which

cdef packed struct Counter:
    uint16_t poll
    uint16_t register
    uint16_t bits
    uint16_t low_word_first
    uint16_t belt

cdef packed struct Level:
    uint16_t kind
    uint16_t index
    uint16_t node
    uint16_t coil
    uint16_t function
    uint16_t on_value
    uint16_t off_value

cdef packed struct Output:
    uint16_t node
    uint16_t coil
    uint16_t pulse_coil
    uint16_t pulse_value
    int64_t hold_ns

cdef packed struct Framing:
    char[4] header
    char[4] terminator
    char[16] no_read
    char[16] heartbeat
    uint16_t n_header
    uint16_t n_terminator
    uint16_t frame_max
    uint16_t silence_ms
    uint16_t protocol
    uint16_t answers
    char[4] code_separator
    uint16_t n_code_separator
    char[4] field_separator
    uint16_t n_field_separator
    uint16_t label_field
    uint16_t group
    char[48] greeting
    uint16_t n_greeting
    char[32] ask
    uint16_t n_ask
    uint16_t ask_ms
    uint16_t alive_ms
    uint16_t is_numbered
    char[4] number_terminator
    uint16_t n_number_terminator
    char[4] separator
    uint16_t n_separator
    uint16_t stamp
    uint16_t stamp_digits
    uint16_t stamp_last

cdef packed struct Gauging:
    uint16_t format
    uint16_t has_check
    uint16_t delimiter
    uint16_t n_columns
    uint16_t weight_column
    uint16_t length_column
    uint16_t width_column
    uint16_t height_column
    uint16_t weight_unit
    uint16_t size_unit
    uint16_t silence_ms
    uint16_t n_hello
    char[16] hello
