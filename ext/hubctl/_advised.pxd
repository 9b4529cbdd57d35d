"""A table of labels with what was told of each, for tens of millions, changed by one thread while another looks up.

A line of 64 bytes, which the processor fetches at once, has three places, two thirds of which are taken: 32 bytes a label.
A label stands in its home line, or, that being full, in one behind it; each line counts the labels that have gone by,
so that a search ends where nobody did, however often labels came and went. Of a text two independent hashes are kept,
96 bits: two texts of ten million are taken for one once in 10^15 tables.

One thread changes the table. It shows a label last and hides it first; who looks up reads the label again after what
was told of it. So nobody ever sees what was told of another label.
"""

from libc.stdint cimport uint32_t, uint64_t

from hubctl._ring cimport hub_acquire, hub_release
from hubctl._slots cimport Digest, hub_high

cdef enum:
    N_PLACES = 3

# What is told of a label, in one word: 32 bits the number of its key, 8 bits of customs, 24 bits when it ends in hours.
cdef enum:
    CUSTOMS_AT = 32
    CUSTOMS_MASK = 0xFF
    ENDS_AT = 40

cdef enum Customs:
    CUSTOMS_NONE = 0        # nothing was said
    CUSTOMS_ADVISED = 1     # they know of it, and have not decided
    CUSTOMS_CLEARED = 2
    CUSTOMS_HELD = 3
    CUSTOMS_SEIZED = 4

cdef struct Line:
    uint64_t[3] keys        # 0: nobody stands here
    uint64_t[3] told
    uint32_t[3] checks
    uint32_t n_gone_by      # labels that had their home here or before, and stand behind

cdef struct Advised:
    Line* lines
    uint64_t n_lines
    uint64_t n
    uint64_t n_max


cdef inline Line* home_of(const Advised* advised, Digest digest) noexcept nogil:
    return advised.lines + hub_high(digest.key, advised.n_lines)


cdef inline Line* line_after(const Advised* advised, Line* line) noexcept nogil:
    return advised.lines if line + 1 == advised.lines + advised.n_lines else line + 1


cdef inline bint is_at(const Line* line, int i, Digest digest) noexcept nogil:
    return (hub_acquire(&line.keys[i]) == digest.key) & (line.checks[i] == <uint32_t>digest.check)


cdef inline int places_of(const Line* line, Digest digest) noexcept nogil:
    """The places of a line in which a label stands, as bits: one, or none. Any may be it: to ask for all costs less
    than to guess wrong."""
    return (
        is_at(line, 0, digest) | is_at(line, 1, digest) << 1 | is_at(line, 2, digest) << 2
    )


cdef inline bint told_in(const Line* line, Digest digest, uint64_t* told) noexcept nogil:
    """Whether a label stands in a line, and what was told of it; read again, lest the place be another's by now."""
    cdef int places = places_of(line, digest)
    cdef int i
    if places == 0:
        return False
    i = places >> 1
    told[0] = hub_acquire(&line.told[i])
    return hub_acquire(&line.keys[i]) == digest.key


cdef inline bint look_in(const Advised* advised, Digest digest, uint64_t* told) noexcept nogil:
    """Whether a label was advised, and what was told of it."""
    cdef Line* line = home_of(advised, digest)
    while True:
        if told_in(line, digest, told):
            return True
        if line.n_gone_by == 0:
            return False
        line = line_after(advised, line)


cdef inline int place_in(const Line* line, Digest digest) noexcept nogil:
    """The place of a label in a line; -1: it is not there."""
    cdef int i
    for i in range(N_PLACES):
        if is_at(line, i, digest):
            return i
    return -1


cdef inline int free_place(const Line* line) noexcept nogil:
    cdef int i
    for i in range(N_PLACES):
        if line.keys[i] == 0:
            return i
    return -1


cdef inline Line* line_with(const Advised* advised, Digest digest) noexcept nogil:
    """The line in which a label stands; NULL: it was not advised."""
    cdef Line* line = home_of(advised, digest)
    while place_in(line, digest) < 0:
        if line.n_gone_by == 0:
            return NULL
        line = line_after(advised, line)
    return line


cdef inline void count_by(const Advised* advised, Digest digest, const Line* until, int step) noexcept nogil:
    """One label more (or less) has gone by the lines from its home to where it stands."""
    cdef Line* line = home_of(advised, digest)
    while line != until:
        line.n_gone_by += <uint32_t>step
        line = line_after(advised, line)


cdef inline bint put_told(Advised* advised, Digest digest, uint64_t told) noexcept nogil:
    """Tells something of a label, instead of what was told before; False: there is no room for one more."""
    cdef Line* line = line_with(advised, digest)
    cdef int i
    if line != NULL:
        hub_release(&line.told[place_in(line, digest)], told)
        return True
    if advised.n >= advised.n_max:
        return False
    line = home_of(advised, digest)
    while free_place(line) < 0:
        line = line_after(advised, line)
    count_by(advised, digest, line, 1)
    i = free_place(line)
    line.checks[i] = <uint32_t>digest.check
    hub_release(&line.told[i], told)
    hub_release(&line.keys[i], digest.key)
    advised.n += 1
    return True


cdef inline bint take_out(Advised* advised, Digest digest) noexcept nogil:
    """Whether a label had been advised; it no longer is."""
    cdef Line* line = line_with(advised, digest)
    if line == NULL:
        return False
    hub_release(&line.keys[place_in(line, digest)], 0)
    count_by(advised, digest, line, -1)
    advised.n -= 1
    return True


cdef inline void take_out_ended(Advised* advised, uint64_t now_h, uint64_t first, uint64_t last) noexcept nogil:
    """What ended before an hour is no longer advised; of some lines."""
    cdef Digest digest
    cdef Line* line
    cdef uint64_t row, ends
    cdef int i
    for row in range(first, last):
        line = advised.lines + row
        for i in range(N_PLACES):
            ends = line.told[i] >> ENDS_AT
            if line.keys[i] and ends and ends < now_h:
                digest.key, digest.check = line.keys[i], line.checks[i]
                take_out(advised, digest)
