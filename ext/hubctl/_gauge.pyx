"""What scales and gauges of size say: MT-SICS, Toledo continuous, SICK master data, Cubiscan, and a line of fields.

Strict: only a stable weight in a known unit, of a scale that says that it is well, becomes grams; everything else is
counted by kind. A scale that speaks all the time is heard once a parcel: again only after it was empty or in motion.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from libc.stdint cimport INT64_MAX
from libc.string cimport memset

from hubctl._number cimport (
    UNIT_CM, UNIT_G, UNIT_IN, UNIT_KG, UNIT_LB, UNIT_NONE, Field, Number, field_of, in_unit, is_length, is_weight, is_word,
    parse_number, trimmed, unit_of,
)
from hubctl._records cimport NO_INDEX
from hubctl._tables cimport GAUGE_CSV, GAUGE_CUBISCAN, GAUGE_MT_SICS, GAUGE_SICK, GAUGE_TOLEDO


class GaugeSaid(IntEnum):
    """What a scale or a gauge said, or what was wrong with it."""

    GAUGED = 0  # a weight, a size, or both
    NOTHING = 1  # nothing lies there
    MOVING = 2  # not stable yet
    REPEATED = 3  # the same again, of what lies there still
    TOO_MUCH = 4  # beyond its range
    TOO_LITTLE = 5  # below zero
    AT_FAULT = 6  # it says that it cannot tell
    ANSWER = 7  # to a command
    MALFORMED = 8  # not as its kind of telegram is
    BAD_CHECK = 9  # its check character does not fit
    HALF = 10  # begun, then silence or another beginning
    OVERLONG = 11
    NOISE = 12  # bytes between telegrams, told once a run


cdef enum:
    STX = 0x02
    ETX = 0x03
    CR = 0x0D
    LF = 0x0A
    SEMICOLON = 0x3B
    COMMA = 0x2C
    N_FIELDS_MAX = 32
    N_SICK_FIELDS = 11
    N_CUBISCAN_FIELDS = 10
    N_TOLEDO = 15          # status, weight and tare, between STX and CR
    N_TOLEDO_SHORT = 9     # without the tare
    WEIGHT_G_MOST = 10000000
    SIZE_MM_MOST = 100000

cdef int64_t[8] TENS = [100, 10, 1, 1, 1, 1, 1, 1]
cdef int64_t[8] SCALES = [1, 1, 1, 10, 100, 1000, 10000, 100000]


cdef void gauge_init(Gauge* g, const Gauging* row) noexcept nogil:
    memset(g, 0, sizeof(Gauge))
    g.row = row[0]


cdef void gauge_reset(Gauge* g) noexcept nogil:
    begin_telegram(g, False)
    g.noisy = False
    g.said_g = 0


cdef inline void begin_telegram(Gauge* g, bint inside) noexcept nogil:
    g.n = 0
    g.inside = inside
    g.skipping = g.awaits_check = False


cdef inline int tell(Gauge* g, int kind, GaugeEvent* event) noexcept nogil:
    event.kind = kind
    g.told[kind] += 1
    return 1


cdef inline bint has_start(const Gauge* g) noexcept nogil:
    return g.row.format == GAUGE_TOLEDO or g.row.format == GAUGE_SICK or g.row.format == GAUGE_CUBISCAN


# Numbers


cdef inline bint take_weight(int64_t weight_g, GaugeEvent* event) noexcept nogil:
    event.weight_g = weight_g
    return 0 <= weight_g <= WEIGHT_G_MOST


cdef bint take_size(const Number* length, const Number* width, const Number* height, int unit, GaugeEvent* event) noexcept nogil:
    """A size counts whole, or not at all."""
    event.length_mm = in_unit(length, unit)
    event.width_mm = in_unit(width, unit)
    event.height_mm = in_unit(height, unit)
    if event.length_mm <= 0 or event.width_mm <= 0 or event.height_mm <= 0:
        event.length_mm = event.width_mm = event.height_mm = 0
    return max(event.length_mm, max(event.width_mm, event.height_mm)) <= SIZE_MM_MOST


cdef inline int gauged(const GaugeEvent* event) noexcept nogil:
    return GAUGED if event.weight_g or event.length_mm else NOTHING


cdef inline int steady(Gauge* g, GaugeEvent* event) noexcept nogil:
    """A stable weight of a scale that speaks all the time."""
    if event.weight_g == 0:
        return NOTHING
    if event.weight_g == g.said_g:
        return REPEATED
    g.said_g = event.weight_g
    return GAUGED


cdef int split_fields(const Gauge* g, uint8_t delimiter, Field* fields) noexcept nogil:
    """Fields of the telegram; more than N_FIELDS_MAX are as good as none: 0."""
    cdef int i
    cdef int n = 0
    cdef int first = 0
    for i in range(g.n + 1):
        if i < g.n and g.buffer[i] != delimiter:
            continue
        if n == N_FIELDS_MAX:
            return 0
        fields[n] = field_of(g.buffer + first, i - first)
        n += 1
        first = i + 1
    return n


# Telegrams, each to its kind


cdef int mt_sics_status(uint8_t status) noexcept nogil:
    if status == 0x53 or status == 0x44:  # S, D
        return GAUGED
    if status == 0x2B:
        return TOO_MUCH
    if status == 0x2D:
        return TOO_LITTLE
    return AT_FAULT if status == 0x49 else MALFORMED  # I


cdef int take_mt_sics(Gauge* g, GaugeEvent* event) noexcept nogil:
    """`S S     100.00 g`: stable; D in motion, I not now, + and - beyond the range. ES, ET, EL: not understood."""
    cdef Number number
    cdef Field rest
    cdef int at, kind, unit
    cdef bint is_moving
    if g.n == 2 and g.buffer[0] == 0x45:
        return AT_FAULT
    if g.n < 3 or g.buffer[0] != 0x53 or g.buffer[1] != 0x20:
        return GAUGE_ANSWER
    kind = mt_sics_status(g.buffer[2])
    if kind != GAUGED:
        return kind if g.n == 3 else MALFORMED
    is_moving = g.buffer[2] == 0x44
    rest = trimmed(field_of(g.buffer + 3, g.n - 3))
    at = rest.n - 1
    while at > 0 and rest.at[at] != 0x20:
        at -= 1
    unit = unit_of(field_of(rest.at + at, rest.n - at))
    if g.buffer[3] != 0x20 or not is_weight(unit) or not parse_number(field_of(rest.at, at), &number):
        return MALFORMED
    if is_moving:
        return MOVING
    if number.negative and number.mantissa:
        return TOO_LITTLE
    return steady(g, event) if take_weight(in_unit(&number, unit), event) else TOO_MUCH


cdef int toledo_status(uint8_t status) noexcept nogil:
    """Status byte B: below zero, beyond the range, in motion, never zeroed since it was switched on."""
    if status & 0x44:
        return TOO_MUCH if status & 0x04 else AT_FAULT
    if status & 0x02:
        return TOO_LITTLE
    return MOVING if status & 0x08 else GAUGED


cdef int take_toledo(Gauge* g, GaugeEvent* event) noexcept nogil:
    """Three status bytes, six digits of weight without a point, six of tare."""
    cdef Number number
    cdef int unit = UNIT_KG if g.buffer[1] & 0x10 else UNIT_LB
    cdef int place = g.buffer[0] & 7
    cdef int kind
    if g.n != N_TOLEDO and g.n != N_TOLEDO_SHORT:
        return MALFORMED
    kind = toledo_status(g.buffer[1])
    if kind != GAUGED:
        return kind
    if not parse_number(field_of(g.buffer + 3, 6), &number) or number.scale != 1 or number.negative:
        return MALFORMED
    if g.buffer[2] & 1:
        unit = UNIT_G
    number.mantissa *= TENS[place]
    number.scale = SCALES[place]
    return steady(g, event) if take_weight(in_unit(&number, unit), event) else TOO_MUCH


cdef bint are_numbers(const Field* fields, int first, Number* numbers) noexcept nogil:
    cdef int i
    for i in range(3):
        if not parse_number(fields[first + i], &numbers[i]) or numbers[i].negative:
            return False
    return True


cdef int take_sick(Gauge* g, GaugeEvent* event) noexcept nogil:
    """Number; code; weight; its unit; scale error; length; width; height; their unit; where it lay; volume."""
    cdef Field[32] fields
    cdef Number weight, place, volume
    cdef Number[3] size
    cdef int n = split_fields(g, SEMICOLON, fields)
    if n != N_SICK_FIELDS or not are_numbers(fields, 5, size) or not parse_number(fields[2], &weight):
        return MALFORMED
    if not parse_number(fields[10], &volume) or fields[9].n != 4 or weight.negative:
        return MALFORMED
    if not is_weight(unit_of(fields[3])) or not is_length(unit_of(fields[8])):
        return MALFORMED
    if not is_word(fields[4], b"0") and not is_word(fields[4], b"1"):
        return MALFORMED
    # Zero, or a scale that is not connected, is no weight; beside the reading field there is no size.
    if is_word(fields[4], b"0") and not take_weight(in_unit(&weight, unit_of(fields[3])), event):
        return TOO_MUCH
    if is_word(fields[9], b"0000") and not take_size(&size[0], &size[1], &size[2], unit_of(fields[8]), event):
        return TOO_MUCH
    if is_word(fields[4], b"1") and event.length_mm == 0:
        return AT_FAULT
    return gauged(event)


cdef inline bint begins(const Field* field, uint8_t letter, Number* number) noexcept nogil:
    """A letter, and a number behind it."""
    if field.n < 2 or field.at[0] != letter:
        return False
    return parse_number(field_of(field.at + 1, field.n - 1), number) and not number.negative


cdef inline int system_of(Field field, int imperial, int metric) noexcept nogil:
    if is_word(field, b"E"):
        return imperial
    return metric if is_word(field, b"M") else UNIT_NONE


cdef int take_cubiscan(Gauge* g, GaugeEvent* event) noexcept nogil:
    """`MAC000000,L012.0,W008.0,H006.0,E,K005.00,D003.47,E,F0166,D`; `m` was measured without being asked."""
    cdef Field[32] fields
    cdef Number weight
    cdef Number[3] size
    cdef int n = split_fields(g, COMMA, fields)
    cdef int length_unit, weight_unit
    if g.n and g.buffer[0] == 0x3F:  # ?
        return AT_FAULT
    if g.n < 2 or (g.buffer[0] != 0x4D and g.buffer[0] != 0x6D):
        return GAUGE_ANSWER
    if g.buffer[1] == 0x4E:
        return AT_FAULT
    if g.buffer[1] != 0x41 or n != N_CUBISCAN_FIELDS:
        return MALFORMED
    length_unit = system_of(fields[4], UNIT_IN, UNIT_CM)
    weight_unit = system_of(fields[7], UNIT_LB, UNIT_KG)
    if length_unit == UNIT_NONE or weight_unit == UNIT_NONE or not begins(&fields[5], 0x4B, &weight):
        return MALFORMED
    if not begins(&fields[1], 0x4C, &size[0]) or not begins(&fields[2], 0x57, &size[1]):
        return MALFORMED
    if not begins(&fields[3], 0x48, &size[2]):
        return MALFORMED
    if not take_weight(in_unit(&weight, weight_unit), event):
        return TOO_MUCH
    return gauged(event) if take_size(&size[0], &size[1], &size[2], length_unit, event) else TOO_MUCH


cdef bint parse_column(const Field* fields, int column, Number* number) noexcept nogil:
    """A column that is not there, or empty, is zero."""
    number.mantissa, number.scale, number.negative = 0, 1, False
    if column == NO_INDEX or trimmed(fields[column]).n == 0:
        return True
    return parse_number(fields[column], number) and not number.negative


cdef int take_csv(Gauge* g, GaugeEvent* event) noexcept nogil:
    """Fields in the order that the site says."""
    cdef Field[32] fields
    cdef Number weight
    cdef Number[3] size
    cdef int n = split_fields(g, <uint8_t>g.row.delimiter, fields)
    if n != g.row.n_columns or not parse_column(fields, g.row.weight_column, &weight):
        return MALFORMED
    if not parse_column(fields, g.row.length_column, &size[0]) or not parse_column(fields, g.row.width_column, &size[1]):
        return MALFORMED
    if not parse_column(fields, g.row.height_column, &size[2]):
        return MALFORMED
    if not take_weight(in_unit(&weight, g.row.weight_unit), event):
        return TOO_MUCH
    return gauged(event) if take_size(&size[0], &size[1], &size[2], g.row.size_unit, event) else TOO_MUCH


cdef int kind_of(Gauge* g, GaugeEvent* event) noexcept nogil:
    if g.row.format == GAUGE_MT_SICS:
        return take_mt_sics(g, event)
    if g.row.format == GAUGE_TOLEDO:
        return take_toledo(g, event)
    if g.row.format == GAUGE_SICK:
        return take_sick(g, event)
    return take_cubiscan(g, event) if g.row.format == GAUGE_CUBISCAN else take_csv(g, event)


# Framing


cdef int finish(Gauge* g, GaugeEvent* event) noexcept nogil:
    cdef bint told_already = g.skipping
    cdef int kind
    memset(event, 0, sizeof(GaugeEvent))
    if told_already:
        begin_telegram(g, False)
        return 0
    kind = kind_of(g, event)
    begin_telegram(g, False)
    if kind == NOTHING or kind == MOVING:
        g.said_g = 0
    return tell(g, kind, event)


cdef bint check_fits(const Gauge* g, uint8_t check) noexcept nogil:
    """The low 7 bits of the sum of everything, STX, CR and the check character included, are 0."""
    cdef int i
    cdef int total = STX + CR + check
    for i in range(g.n):
        total += g.buffer[i]
    return total & 0x7F == 0


cdef int finish_checked(Gauge* g, uint8_t check, GaugeEvent* event) noexcept nogil:
    if g.skipping or check_fits(g, check):
        return finish(g, event)
    begin_telegram(g, False)
    return tell(g, BAD_CHECK, event)


cdef int end_of(Gauge* g, GaugeEvent* event) noexcept nogil:
    if g.row.format == GAUGE_TOLEDO and g.row.has_check:
        g.awaits_check = True
        return 0
    return finish(g, event)


cdef inline int keep(Gauge* g, uint8_t byte, GaugeEvent* event) noexcept nogil:
    if g.skipping:
        return 0
    if g.n == GAUGE_MAX:
        g.skipping = True
        return tell(g, GAUGE_OVERLONG, event)
    g.buffer[g.n] = byte
    g.n += 1
    return 0


cdef int take_between(Gauge* g, uint8_t byte, GaugeEvent* event) noexcept nogil:
    """Bytes before a start. A line's end may follow a telegram."""
    if byte == CR or byte == LF or g.noisy:
        return 0
    g.noisy = True
    return tell(g, GAUGE_NOISE, event)


cdef int take_started(Gauge* g, uint8_t byte, GaugeEvent* event) noexcept nogil:
    """Of a telegram that begins with STX, which occurs nowhere else in it."""
    cdef bint was_half = g.inside and not g.skipping
    if g.awaits_check:
        return finish_checked(g, byte, event)
    if byte == STX:
        begin_telegram(g, True)
        g.noisy = False
        return tell(g, GAUGE_HALF, event) if was_half else 0
    if not g.inside:
        return take_between(g, byte, event)
    if byte == (CR if g.row.format == GAUGE_TOLEDO else ETX):
        return end_of(g, event)
    return keep(g, byte, event)


cdef int take_line(Gauge* g, uint8_t byte, GaugeEvent* event) noexcept nogil:
    if byte != LF:
        return keep(g, byte, event)
    if g.n and g.buffer[g.n - 1] == CR:
        g.n -= 1
    if g.n == 0 and not g.skipping:
        return 0
    return finish(g, event)


cdef int gauge_next(Gauge* g, const uint8_t** at, const uint8_t* end, GaugeEvent* event) noexcept nogil:
    cdef uint8_t byte
    while at[0] < end:
        byte = at[0][0]
        at[0] += 1
        if take_started(g, byte, event) if has_start(g) else take_line(g, byte, event):
            return 1
    return 0


cdef inline bint has_begun(const Gauge* g) noexcept nogil:
    return g.n > 0 or g.inside or g.skipping


cdef int gauge_received(Gauge* g, int64_t now_ns, GaugeEvent* event) noexcept nogil:
    cdef bint is_over = has_begun(g) and now_ns >= gauge_next_deadline(g)
    cdef bint told_already = g.skipping
    g.last_ns = now_ns
    if not is_over:
        return 0
    begin_telegram(g, False)
    return 0 if told_already else tell(g, GAUGE_HALF, event)


cdef int64_t gauge_next_deadline(const Gauge* g) noexcept nogil:
    return g.last_ns + g.row.silence_ms * <int64_t>1_000_000 if has_begun(g) else INT64_MAX


# The Python face


def check_gauging(gauging: np.void) -> None:
    """Refuses a row of GAUGING that would lead outside a telegram; ValueError."""
    columns = ("weight_column", "length_column", "width_column", "height_column")
    for key in columns if gauging["format"] == GAUGE_CSV else ():
        if gauging[key] != NO_INDEX and gauging[key] >= gauging["n_columns"]:
            raise ValueError(f"{key} {gauging[key]}: must be below n_columns, {gauging['n_columns']}")
    limits = {"format": (0, 4), "n_columns": (0, N_FIELDS_MAX), "n_hello": (0, 16), "silence_ms": (1, 60_000)}
    for key, (least, most) in limits.items():
        if not least <= gauging[key] <= most:
            raise ValueError(f"{key} {gauging[key]}: must be {least} to {most}")


class Gauged(NamedTuple):
    """One thing a scale or gauge said; grams and millimetres only with `GAUGED`, None where it did not measure."""

    kind: GaugeSaid
    weight_g: int | None = None
    size_mm: tuple[int, int, int] | None = None  # length, width, height


cdef class GaugeReader:
    """One scale's byte stream without its socket.

    Parameters
    ----------
    gauging : one row of `hubctl.core.tables.GAUGING`

    Examples
    --------
    >>> from hubctl.core.tables import GAUGING
    >>> row = np.zeros((), GAUGING)
    >>> row["silence_ms"] = 200
    >>> GaugeReader(row).receive(b"S S     100.00 g\\r\\n", 0)[0].weight_g
    100
    """

    cdef Gauge gauge

    def __init__(self, gauging: np.void | np.ndarray):
        cdef const uint8_t[::1] row = np.frombuffer(gauging.tobytes(), np.uint8)
        if row.shape[0] != sizeof(Gauging):
            raise ValueError(f"gauging of {row.shape[0]} bytes: must be one GAUGING row of {sizeof(Gauging)}")
        check_gauging(gauging)
        gauge_init(&self.gauge, <const Gauging*>&row[0])

    def receive(self, data: bytes, now_ns: int) -> list[Gauged]:
        """What `data`, received at `now_ns`, completes; with no data, whether silence has ended a telegram."""
        cdef const uint8_t* at = data
        cdef const uint8_t* end = at + len(data)
        cdef GaugeEvent event
        events = []
        if gauge_received(&self.gauge, now_ns, &event):
            events.append(_told(&event))
        while gauge_next(&self.gauge, &at, end, &event):
            events.append(_told(&event))
        return events

    def next_deadline(self) -> int:
        """When silence ends the telegram in progress, ns; 2**63 - 1: never."""
        return gauge_next_deadline(&self.gauge)

    @property
    def told(self) -> dict[GaugeSaid, int]:
        """How many events there were, by kind; kinds that never came are left out."""
        return {kind: self.gauge.told[kind] for kind in GaugeSaid if self.gauge.told[kind]}


cdef object _told(const GaugeEvent* event):
    if event.kind != GAUGED:
        return Gauged(GaugeSaid(event.kind))
    size_mm = (event.length_mm, event.width_mm, event.height_mm)
    return Gauged(GaugeSaid.GAUGED, event.weight_g or None, size_mm if event.length_mm else None)
