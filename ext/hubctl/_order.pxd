"""Tracks in belt order, the pool they come from, and the wheel that looks at each when its time comes.

The wheel is hashed by count: a slot holds every track whose timer falls into it, on this turn or a later one,
so that setting, clearing and finding a timer cost the same with ten tracks and with a hundred thousand.
"""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from hubctl._arming cimport take_back
from hubctl._carriers cimport is_loop, leave_carriers
from hubctl._chutes cimport arrive_or_not
from hubctl._identity cimport drop_identity, drop_number
from hubctl._records cimport ALARM_CLEARED, ALARM_RAISED, ALARM_TRACKS_USED_UP, NO_COUNTS, NO_INDEX, Record
from hubctl._state cimport (
    COMMITTED_TRACK,
    FIRED_TRACK,
    FREE,
    NOBODY,
    SLOT_SHIFT,
    Head,
    State,
    Track,
    heap_remove,
    say,
)


cdef inline int32_t* slot_of(State* s, int b, int slot) noexcept nogil:
    return &s.wheel[b * s.head.n_slots + slot]


cdef inline void clear_timer(State* s, int32_t t) noexcept nogil:
    cdef Track* track = &s.tracks[t]
    if track.timer_slot == NOBODY:
        return
    if track.timer_prev == NOBODY:
        slot_of(s, track.belt, track.timer_slot)[0] = track.timer_next
    else:
        s.tracks[track.timer_prev].timer_next = track.timer_next
    if track.timer_next != NOBODY:
        s.tracks[track.timer_next].timer_prev = track.timer_prev
    track.timer_slot = NOBODY


cdef inline void set_timer(State* s, int32_t t, int64_t at_counts) noexcept nogil:
    """Look at track `t` when its belt reaches a count; at once if it has."""
    cdef Track* track = &s.tracks[t]
    cdef int64_t visited = at_counts
    cdef int32_t* slot
    if visited < s.belts[track.belt].wheel_counts:
        visited = s.belts[track.belt].wheel_counts
    clear_timer(s, t)
    track.timer_counts = at_counts
    track.timer_slot = <int32_t>((visited >> SLOT_SHIFT) & (s.head.n_slots - 1))
    slot = slot_of(s, track.belt, track.timer_slot)
    track.timer_prev = NOBODY
    track.timer_next = slot[0]
    if slot[0] != NOBODY:
        s.tracks[slot[0]].timer_prev = t
    slot[0] = t


cdef inline int32_t due_in_slot(State* s, int b, int slot, int64_t counts) noexcept nogil:
    """The track of a slot whose timer is first, if it is due; NOBODY otherwise."""
    cdef int32_t t = slot_of(s, b, slot)[0]
    cdef int32_t found = NOBODY
    while t != NOBODY:
        if s.tracks[t].timer_counts <= counts and (
            found == NOBODY
            or s.tracks[t].timer_counts < s.tracks[found].timer_counts
            or (s.tracks[t].timer_counts == s.tracks[found].timer_counts and s.tracks[t].parcel < s.tracks[found].parcel)
        ):
            found = t
        t = s.tracks[t].timer_next
    return found


cdef inline int64_t next_look(const State* s, int b) noexcept nogil:
    """Count at which belt `b` must be looked at next: its first timer in this slot of the wheel, or the next slot."""
    cdef int64_t slot = s.belts[b].wheel_counts >> SLOT_SHIFT
    cdef int64_t counts = (slot + 1) << SLOT_SHIFT
    cdef int32_t t = s.wheel[b * s.head.n_slots + (slot & (s.head.n_slots - 1))]
    while t != NOBODY:
        if s.tracks[t].timer_counts < counts:
            counts = s.tracks[t].timer_counts
        t = s.tracks[t].timer_next
    return counts


cdef inline int32_t take_track(State* s) noexcept nogil:
    """A track from the pool, cleared; NOBODY when all are in use."""
    cdef int32_t t = s.head.free
    if t == NOBODY:
        return NOBODY
    s.head.free = s.tracks[t].behind
    memset(&s.tracks[t], 0, sizeof(Track))
    s.tracks[t].timer_slot = NOBODY
    s.tracks[t].heap_at = NOBODY
    s.tracks[t].label_place = NO_COUNTS
    s.tracks[t].chute_next = NOBODY
    s.tracks[t].chute_prev = NOBODY
    s.tracks[t].told_next = NOBODY
    s.tracks[t].told_prev = NOBODY
    s.tracks[t].booked = NO_INDEX
    s.tracks[t].round_belt = NO_INDEX
    s.tracks[t].wave = -1
    s.tracks[t].first_wave = -1
    s.tracks[t].said_wave = -1
    s.head.n_open += 1
    return t


cdef inline void link_before(State* s, int b, int32_t t, int32_t behind) noexcept nogil:
    """Puts track `t` into belt order just ahead of `behind`; NOBODY puts it last."""
    cdef int32_t ahead = s.belts[b].last if behind == NOBODY else s.tracks[behind].ahead
    s.tracks[t].behind = behind
    s.tracks[t].ahead = ahead
    if ahead == NOBODY:
        s.belts[b].first = t
    else:
        s.tracks[ahead].behind = t
    if behind == NOBODY:
        s.belts[b].last = t
    else:
        s.tracks[behind].ahead = t


cdef inline void unlink(State* s, int b, int32_t t) noexcept nogil:
    cdef int32_t ahead = s.tracks[t].ahead
    cdef int32_t behind = s.tracks[t].behind
    if ahead == NOBODY:
        s.belts[b].first = behind
    else:
        s.tracks[ahead].behind = behind
    if behind == NOBODY:
        s.belts[b].last = ahead
    else:
        s.tracks[behind].ahead = ahead


cdef inline void expect_at_eyes(State* s, int32_t t, int32_t behind) noexcept nogil:
    """Track `t`, just put in ahead of `behind`, is the next at every eye it has before it where `behind` was, or nobody."""
    cdef int e
    for e in range(s.tracks[t].next_eye, s.head.n_eyes):
        if s.eye_table[e].belt == s.tracks[t].belt and s.eyes[e].expected == behind:
            s.eyes[e].expected = t


cdef inline int32_t next_expected(const State* s, int e, int32_t t) noexcept nogil:
    """Track `t` or the first behind it that eye `e` is to see: those that came onto the belt beyond it are not."""
    while t != NOBODY and s.tracks[t].next_eye > e:
        t = s.tracks[t].behind
    return t


cdef inline void forget(State* s, int32_t t) noexcept nogil:
    """No eye or scanner points at track `t` any more."""
    cdef int32_t behind = s.tracks[t].behind
    cdef int32_t other = behind if behind != NOBODY else s.tracks[t].ahead
    cdef int i
    for i in range(s.head.n_eyes):
        if s.eyes[i].expected == t:
            s.eyes[i].expected = next_expected(s, i, behind)
        if s.eyes[i].under == t:
            s.eyes[i].under = NOBODY
        if s.eyes[i].last == t:
            s.eyes[i].last = NOBODY
    for i in range(s.head.n_scanners):
        if s.scanners[i].near == t:
            s.scanners[i].near = other
    for i in range(s.head.n_scales):
        if s.scales[i].near == t:
            s.scales[i].near = other


cdef inline void leave_chute_queue(State* s, int32_t t) noexcept nogil:
    cdef Track* track = &s.tracks[t]
    if track.chute_prev == NOBODY:
        s.chutes[track.exit].first = track.chute_next
    else:
        s.tracks[track.chute_prev].chute_next = track.chute_next
    if track.chute_next == NOBODY:
        s.chutes[track.exit].last = track.chute_prev
    else:
        s.tracks[track.chute_next].chute_prev = track.chute_prev
    track.chute_prev = NOBODY
    track.chute_next = NOBODY


cdef inline void join_chute_queue(State* s, int32_t t) noexcept nogil:
    cdef Track* track = &s.tracks[t]
    track.chute_prev = s.chutes[track.exit].last
    track.chute_next = NOBODY
    if track.chute_prev == NOBODY:
        s.chutes[track.exit].first = t
    else:
        s.tracks[track.chute_prev].chute_next = t
    s.chutes[track.exit].last = t


cdef inline void leave_plans(State* s, int32_t t) noexcept nogil:
    """Takes track `t` out of the heap and the chute queue that its state put it into, and back what its node was told."""
    cdef Track* track = &s.tracks[t]
    take_back(s, track)
    if track.state == COMMITTED_TRACK:
        arrive_or_not(s, track.exit)
        heap_remove(s.tracks, s.fires + track.belt * s.head.n_tracks_max, &s.belts[track.belt].n_fires, t)
    elif track.state == FIRED_TRACK:
        arrive_or_not(s, track.exit)
        heap_remove(s.tracks, s.confirms, &s.head.n_confirms, t)
        leave_chute_queue(s, t)


cdef inline void say_used_up(State* s, int b) noexcept nogil:
    """Every track is in use: said once, until an eighth of them are free again."""
    cdef Record* record
    if s.head.used_up:
        return
    s.head.used_up = b + 1
    record = say(s, ALARM_RAISED, 0)
    record.value = ALARM_TRACKS_USED_UP
    record.device = b


cdef inline void have_tracks_again(State* s) noexcept nogil:
    cdef Record* record = say(s, ALARM_CLEARED, 0)
    record.value = ALARM_TRACKS_USED_UP
    record.device = s.head.used_up - 1
    s.head.used_up = 0


cdef inline void give_back(State* s, int32_t t) noexcept nogil:
    """Back into the pool: track `t` is over."""
    leave_plans(s, t)
    if is_loop(s, s.tracks[t].belt):
        leave_carriers(s, t)
    clear_timer(s, t)
    forget(s, t)
    drop_identity(s, t)
    drop_number(s, t)
    unlink(s, s.tracks[t].belt, t)
    s.tracks[t].state = FREE
    s.tracks[t].behind = s.head.free
    s.head.free = t
    s.head.n_open -= 1
    if s.head.used_up and s.head.n_open <= s.head.n_tracks_max - s.head.n_tracks_max // 8 - 1:
        have_tracks_again(s)
