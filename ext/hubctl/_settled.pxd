"""Choices that stand: the chute of one parcel of a lane is the next one's too, until a number or an instant is reached.

Between two inputs a station's chutes change by what lands in them, and by time. The first chute of a lane that has a
place stays the first unless eyes, rates or turns have a say: those behind it do not count, and those before it stay
full. So a choice is kept with the number of parcels in its chute, and the instant, up to which nothing of it is new:
neither for the next parcel, nor for the chute that it lands in. Beyond them `_choice.pxd` is asked again.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.string cimport memset

from hubctl._choice cimport exit_to
from hubctl._chutes cimport has_rate, is_beyond, n_kept_from, state_of
from hubctl._records cimport NEARLY_FULL, OPEN
from hubctl._state cimport NOBODY, ChuteStatus, State, Track
from hubctl._tables cimport FIRST_OPEN, STATION, Chute, Lane, Step, Wave
from hubctl._waves cimport NO_WAVE, wave_at

cdef enum:
    N_SETTLED = 128           # lanes whose choices are kept, a power of two

cdef struct Settled:
    int32_t lane
    int32_t wave
    int64_t until_ns
    int64_t held_below        # it stands while its chute holds fewer; 0: nothing stands here
    int32_t chute
    int32_t reserved


cdef inline void settle_nothing(Settled* settled) noexcept nogil:
    memset(settled, 0, N_SETTLED * sizeof(Settled))


cdef inline Settled* settled_for(Settled* settled, int32_t lane) noexcept nogil:
    """Where the choice of a lane is kept, or of another that has the same place."""
    return &settled[lane & (N_SETTLED - 1)]


cdef inline bint has_steady_eyes(const ChuteStatus* chute) noexcept nogil:
    """Whether neither of a chute's eyes is blocked, or was until just now."""
    return not (chute.level | chute.was_full | chute.nearly_level | chute.was_nearly_full)


cdef inline bint is_steady(const State* s, const Track* track, int c) noexcept nogil:
    """Whether a chute that refuses a parcel refuses each of its lane that follows: only what lands in it is ever new."""
    return exit_to(s, track, c) == c and not has_rate(&s.chute_table[c]) and has_steady_eyes(&s.chutes[c])


cdef inline bint is_first_open(const State* s, const Track* track) noexcept nogil:
    """Whether the chute that took a track is the first of its chain that has a place, and stays it."""
    cdef const Step* step = &s.plan.steps[track.chain]
    cdef int k = track.candidate
    cdef int i
    while True:
        if step.policy != FIRST_OPEN:
            return False
        for i in range(step.n_chutes):
            if not is_steady(s, track, s.plan.chutes[step.first + i]):
                return False
            if i == k:
                return True
        k -= step.n_chutes
        step += 1


cdef inline int64_t stands_below(const State* s, int c, int priority) noexcept nogil:
    """A chute takes parcels of a priority without a word while it holds fewer; 0: it does not."""
    cdef const ChuteStatus* chute = &s.chutes[c]
    cdef const Chute* row = &s.chute_table[c]
    cdef int64_t below = row.count_max - chute.booked.n_parcels - max(n_kept_from(row, priority), 1)
    cdef bint is_quiet = chute.due_at == NOBODY and chute.full_since_ns < 0 and not chute.alarmed
    if chute.state != OPEN or chute.is_crowded or not is_quiet or is_beyond(row, chute, 1, 1, 1):
        return 0
    if chute.said_state != state_of(s, c):
        return 0
    if row.count_max == 0:
        return INT64_MAX
    return below if chute.said_state == NEARLY_FULL else min(below, row.nearly_full_count - 1)


cdef inline int64_t stands_until(const State* s, const Track* track, const Lane* lane) noexcept nogil:
    """The last instant at which a parcel of a lane makes the wave of a track that goes by its first wave."""
    cdef const Wave* wave
    cdef int first
    if track.wave == NO_WAVE:
        return INT64_MAX
    wave = wave_at(s, lane, track.wave)
    first = s.plan.chutes[s.plan.steps[wave.first_step].first]
    return wave.departs_ns - lane.lead_ns - max(s.chute_table[first].door_ns, s.chute_table[track.chute].door_ns)


cdef inline void settle_as(const State* s, const Track* track, Settled* settled) noexcept nogil:
    """Keeps the choice for a track, as far as it is the next one's."""
    cdef Settled* kept = settled_for(settled, track.lane)
    cdef const Lane* lane = &s.plan.lanes[track.lane]
    kept.held_below = 0
    if s.belt_table[track.belt].kind != STATION or track.wave != track.first_wave or not is_first_open(s, track):
        return
    kept.lane = track.lane
    kept.wave = track.wave
    kept.chute = track.chute
    kept.until_ns = stands_until(s, track, lane)
    kept.held_below = stands_below(s, track.chute, lane.priority)


cdef inline bint stands(const State* s, const Settled* kept, int32_t lane) noexcept nogil:
    """Whether a choice that was kept is a lane's, and still what it would come to."""
    if kept.lane != lane or s.now_ns > kept.until_ns:
        return False
    return s.chutes[kept.chute].held.n_parcels < kept.held_below
