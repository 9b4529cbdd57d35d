"""What a chute holds: parcels in it and on their way to it, its limits, its states, its bag.

Every parcel sent to a chute keeps a place in it, with its weight and volume, until it lands there, is sent
elsewhere, or is over. A chute's state is said when it changes; a heap of chutes looks at each when its time
comes: an eye has stood long enough, or a full chute has not been emptied.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint16_t
from libc.string cimport memset

from hubctl._arming cimport take_back_to
from hubctl._records cimport (
    ALARM_CHUTE_NOT_EMPTIED,
    ALARM_CLEARED,
    ALARM_RAISED,
    CHUTE_CHANGED,
    CHUTE_FULL,
    CLOSED_BY_OPERATOR,
    CLOSING,
    DISABLED,
    FAULT,
    FULL,
    NEARLY_FULL,
    NO_INDEX,
    NONE,
    OPEN,
    RATE_LIMIT,
    Record,
)
from hubctl._state cimport N_RATE_SLOTS, NOBODY, ROOM_MIN, ChuteStatus, Load, State, Track, room, say
from hubctl._tables cimport Chute

cdef enum:
    PRIORITY_MAX = 9
    MM_PER_M = 1000
    LENGTH_COUNTS_MAX = 1000000000  # a longer one is an eye's nonsense, and must not overflow


# Eyes


cdef inline bint stands(
    int64_t now_ns, bint level, int64_t level_ns, bint was, int64_t on_ns, int64_t off_ns
) noexcept nogil:
    """An eye's word, once it has stood long enough; until then what held before."""
    if level:
        return was or now_ns - level_ns >= on_ns
    return was and now_ns - level_ns < off_ns


cdef inline bint is_full(const State* s, int c) noexcept nogil:
    """The full eye's word."""
    cdef const ChuteStatus* chute = &s.chutes[c]
    cdef const Chute* row = &s.chute_table[c]
    return stands(s.now_ns, chute.level, chute.level_ns, chute.was_full, row.full_on_ns, row.full_off_ns)


cdef inline bint is_nearly_full(const State* s, int c) noexcept nogil:
    """The nearly-full eye's word."""
    cdef const ChuteStatus* chute = &s.chutes[c]
    cdef const Chute* row = &s.chute_table[c]
    return stands(
        s.now_ns, chute.nearly_level, chute.nearly_level_ns, chute.was_nearly_full, row.full_on_ns, row.full_off_ns
    )


cdef inline int64_t settles_ns(
    bint level, int64_t level_ns, bint was, int64_t on_ns, int64_t off_ns, int64_t now_ns
) noexcept nogil:
    """When an eye will have stood long enough for its word to change; INT64_MAX if it will not."""
    cdef int64_t at_ns = level_ns + (on_ns if level else off_ns)
    return at_ns if level != was and at_ns > now_ns else INT64_MAX


# Limits


cdef inline bint is_beyond(const Chute* row, const ChuteStatus* chute, int64_t n, int64_t weight_g, int64_t volume_ml) noexcept nogil:
    """Whether what is in a chute and on its way, and so much more, is more than it holds."""
    cdef const Load* held = &chute.held
    cdef const Load* booked = &chute.booked
    if row.count_max and held.n_parcels + booked.n_parcels + n > row.count_max:
        return True
    if row.weight_g_max and held.weight_g + booked.weight_g + weight_g > row.weight_g_max:
        return True
    return row.volume_ml_max != 0 and held.volume_ml + booked.volume_ml + volume_ml > row.volume_ml_max


cdef inline bint is_below(int64_t held, int64_t maximum, int percent) noexcept nogil:
    return maximum == 0 or (held < maximum and held * 100 <= maximum * percent)


cdef inline void note_crowd(State* s, int c) noexcept nogil:
    """A chute that has no place left takes nobody until it is down to the share that its hub file says."""
    cdef const Chute* row = &s.chute_table[c]
    cdef ChuteStatus* chute = &s.chutes[c]
    cdef int percent = row.open_again_percent
    if chute.is_crowded:
        chute.is_crowded = not (
            is_below(chute.held.n_parcels + chute.booked.n_parcels, row.count_max, percent)
            and is_below(chute.held.weight_g + chute.booked.weight_g, row.weight_g_max, percent)
            and is_below(chute.held.volume_ml + chute.booked.volume_ml, row.volume_ml_max, percent)
        )
    else:
        chute.is_crowded = is_beyond(row, chute, 1, 1, 1)


cdef inline int64_t length_mm(const State* s, const Track* track) noexcept nogil:
    """A parcel's length; the longest that its belt carries while it is not known."""
    cdef int64_t counts = track.length_counts
    if counts < 0:
        counts = s.belt_table[track.belt].parcel_counts_max
    if counts > LENGTH_COUNTS_MAX:
        counts = LENGTH_COUNTS_MAX
    return counts * MM_PER_M // s.belt_table[track.belt].counts_per_m


cdef inline int64_t rate_slot(const State* s, int c) noexcept nogil:
    """The part of a chute's period that it is now."""
    cdef int64_t part_ns = s.chute_table[c].rate_period_ns // N_RATE_SLOTS
    return s.now_ns // part_ns if part_ns > 0 else 0


cdef inline void turn_rate(State* s, int c) noexcept nogil:
    """Forgets what was sent to a chute longer ago than its period."""
    cdef ChuteStatus* chute = &s.chutes[c]
    cdef int64_t slot = rate_slot(s, c)
    cdef int64_t at = chute.rate_slot + 1
    if slot - chute.rate_slot > N_RATE_SLOTS:
        at = slot - N_RATE_SLOTS
    while at <= slot:
        chute.rate_parcels[at % (N_RATE_SLOTS + 1)] = 0
        chute.rate_mm[at % (N_RATE_SLOTS + 1)] = 0
        at += 1
    if slot > chute.rate_slot:
        chute.rate_slot = slot


cdef inline bint has_rate(const Chute* row) noexcept nogil:
    return row.rate_parcels != 0 or row.rate_mm != 0


cdef inline bint is_over_rate(State* s, const Track* track, int c) noexcept nogil:
    """Whether a chute has had as many parcels, or as much length, as it takes in any period up to now."""
    cdef const Chute* row = &s.chute_table[c]
    cdef int64_t n = 1
    cdef int64_t mm
    cdef int i
    if not has_rate(row):
        return False
    mm = length_mm(s, track)
    turn_rate(s, c)
    for i in range(N_RATE_SLOTS + 1):
        n += s.chutes[c].rate_parcels[i]
        mm += s.chutes[c].rate_mm[i]
    return (row.rate_parcels != 0 and n > row.rate_parcels) or (row.rate_mm != 0 and mm > row.rate_mm)


cdef inline int64_t n_kept_from(const Chute* row, int priority) noexcept nogil:
    """Of a chute's last places, those that a lane of a priority leaves to others."""
    return row.n_kept * (PRIORITY_MAX - priority) // PRIORITY_MAX


cdef inline uint16_t room_refusal(State* s, const Track* track, int c, int priority) noexcept nogil:
    """Why a chute keeps no place for a track; NONE if it does. Its own place counts for one that has it already."""
    cdef const Chute* row = &s.chute_table[c]
    if track.booked == c:
        return NONE
    if s.chutes[c].is_crowded or is_beyond(
        row, &s.chutes[c], 1 + n_kept_from(row, priority), track.load.weight_g, track.load.volume_ml
    ):
        return CHUTE_FULL
    return RATE_LIMIT if is_over_rate(s, track, c) else NONE


cdef inline bint is_overbooked(const State* s, int c) noexcept nogil:
    """Whether a chute is to get more than it holds: parcels proved heavier or larger than they were booked."""
    return is_beyond(&s.chute_table[c], &s.chutes[c], 0, 0, 0)


# States


cdef inline bint due_before(const State* s, int32_t a, int32_t b) noexcept nogil:
    if s.chutes[a].due_ns != s.chutes[b].due_ns:
        return s.chutes[a].due_ns < s.chutes[b].due_ns
    return a < b


cdef inline void put_due(State* s, int at, int32_t c) noexcept nogil:
    s.chutes_due[at] = c
    s.chutes[c].due_at = at


cdef inline void due_up(State* s, int at, int32_t c) noexcept nogil:
    cdef int parent
    while at > 0:
        parent = (at - 1) // 2
        if not due_before(s, c, s.chutes_due[parent]):
            break
        put_due(s, at, s.chutes_due[parent])
        at = parent
    put_due(s, at, c)


cdef inline void due_down(State* s, int at, int32_t c) noexcept nogil:
    cdef int n = s.head.n_chutes_due
    cdef int child = 2 * at + 1
    while child < n:
        if child + 1 < n and due_before(s, s.chutes_due[child + 1], s.chutes_due[child]):
            child += 1
        if not due_before(s, s.chutes_due[child], c):
            break
        put_due(s, at, s.chutes_due[child])
        at = child
        child = 2 * at + 1
    put_due(s, at, c)


cdef inline void forget_due(State* s, int32_t c) noexcept nogil:
    cdef int at = s.chutes[c].due_at
    cdef int32_t moved
    if at == NOBODY:
        return
    s.chutes[c].due_at = NOBODY
    s.head.n_chutes_due -= 1
    moved = s.chutes_due[s.head.n_chutes_due]
    if moved == c:
        return
    if at > 0 and due_before(s, moved, s.chutes_due[(at - 1) // 2]):
        due_up(s, at, moved)
    else:
        due_down(s, at, moved)


cdef inline void set_due(State* s, int32_t c, int64_t due_ns) noexcept nogil:
    """Look at a chute at an instant; INT64_MAX: no more."""
    forget_due(s, c)
    if due_ns == INT64_MAX:
        return
    s.chutes[c].due_ns = due_ns
    s.head.n_chutes_due += 1
    due_up(s, s.head.n_chutes_due - 1, c)


cdef inline int32_t state_of(const State* s, int c) noexcept nogil:
    """What a person sees: a person's word, else what eyes and counts say."""
    cdef const ChuteStatus* chute = &s.chutes[c]
    cdef const Chute* row = &s.chute_table[c]
    if chute.state >= CLOSING:
        return chute.state
    if is_full(s, c) or (row.count_max and chute.held.n_parcels >= row.count_max):
        return FULL
    if is_nearly_full(s, c) or (row.count_max and chute.held.n_parcels >= row.nearly_full_count):
        return NEARLY_FULL
    return OPEN


cdef inline int64_t next_look_ns(const State* s, int c) noexcept nogil:
    """When a chute may change by itself; INT64_MAX if it will not."""
    cdef const ChuteStatus* chute = &s.chutes[c]
    cdef const Chute* row = &s.chute_table[c]
    cdef int64_t on_ns = row.full_on_ns
    cdef int64_t off_ns = row.full_off_ns
    cdef int64_t due_ns = settles_ns(chute.level, chute.level_ns, chute.was_full, on_ns, off_ns, s.now_ns)
    cdef int64_t other_ns = settles_ns(
        chute.nearly_level, chute.nearly_level_ns, chute.was_nearly_full, on_ns, off_ns, s.now_ns
    )
    if other_ns < due_ns:
        due_ns = other_ns
    if row.full_alarm_ns and chute.full_since_ns >= 0 and not chute.alarmed:
        other_ns = chute.full_since_ns + row.full_alarm_ns
        if other_ns < due_ns:
            due_ns = other_ns
    return due_ns


cdef inline void alarm_chute(State* s, int c, bint raised) noexcept nogil:
    cdef Record* record
    if s.chutes[c].alarmed == raised:
        return
    s.chutes[c].alarmed = raised
    record = say(s, ALARM_RAISED if raised else ALARM_CLEARED, 0)
    record.device = c
    record.value = ALARM_CHUTE_NOT_EMPTIED


cdef inline void note_emptying(State* s, int c, int32_t state) noexcept nogil:
    """How long a chute has been full or closed, and whether that is an alarm."""
    cdef ChuteStatus* chute = &s.chutes[c]
    cdef int64_t alarm_ns = s.chute_table[c].full_alarm_ns
    if state < FULL or state > CLOSED_BY_OPERATOR:
        chute.full_since_ns = -1
        alarm_chute(s, c, False)
    elif chute.full_since_ns < 0:
        chute.full_since_ns = s.now_ns
    elif alarm_ns and s.now_ns - chute.full_since_ns >= alarm_ns:
        alarm_chute(s, c, True)


cdef inline void refuse_told(State* s, int c, int32_t state) noexcept nogil:
    """What nodes were told for a chute that takes nobody now is taken back; what is committed, unless it only closes."""
    if state >= FULL and s.chute_table[c].diverter != NO_INDEX:
        take_back_to(s, s.chute_table[c].diverter, c, is_full(s, c) or state > CLOSING)


cdef inline void look_at_chute(State* s, int c) noexcept nogil:
    """Says a chute's state if it is new, and when to look again."""
    cdef ChuteStatus* chute = &s.chutes[c]
    cdef int32_t state
    cdef Record* record
    if chute.state == CLOSING and chute.n_going == 0:
        chute.state = CLOSED_BY_OPERATOR
    state = state_of(s, c)
    if state != chute.said_state:
        chute.said_state = state
        record = say(s, CHUTE_CHANGED, 0)
        record.chute = c
        record.value = state
        record.limit = chute.held.n_parcels
        refuse_told(s, c, state)
    note_emptying(s, c, state)
    set_due(s, c, next_look_ns(s, c))


cdef inline void run_chutes(State* s) noexcept nogil:
    """Looks at every chute whose time has come."""
    while s.head.n_chutes_due > 0 and room(s) >= ROOM_MIN:
        if s.chutes[s.chutes_due[0]].due_ns > s.now_ns:
            return
        look_at_chute(s, s.chutes_due[0])


# Parcels


cdef inline void add_load(Load* load, const Load* more, int sign) noexcept nogil:
    load.n_parcels += sign
    load.weight_g += sign * more.weight_g
    load.volume_ml += sign * more.volume_ml


cdef inline void count_rate(State* s, int c, int64_t slot, int n, int mm) noexcept nogil:
    """Counts what is sent to a chute, or takes it back if its part of the period is still looked at."""
    cdef ChuteStatus* chute = &s.chutes[c]
    cdef const Chute* row = &s.chute_table[c]
    if not has_rate(row) or chute.rate_slot - slot > N_RATE_SLOTS:
        return
    chute.rate_parcels[slot % (N_RATE_SLOTS + 1)] += n
    chute.rate_mm[slot % (N_RATE_SLOTS + 1)] += mm


cdef inline void leave_place(State* s, int32_t t) noexcept nogil:
    """Track `t` keeps no place any more."""
    cdef Track* track = &s.tracks[t]
    cdef int c = track.booked
    track.booked = NO_INDEX
    add_load(&s.chutes[c].booked, &track.booked_load, -1)


cdef inline void unbook(State* s, int32_t t) noexcept nogil:
    """Track `t` does not come to the chute in which it kept a place: the chute's rate has not had it either."""
    cdef Track* track = &s.tracks[t]
    cdef int c = track.booked
    if c == NO_INDEX:
        return
    count_rate(s, c, track.booked_slot, -1, -track.booked_mm)
    leave_place(s, t)
    note_crowd(s, c)


cdef inline void book_rate(State* s, Track* track, int c) noexcept nogil:
    """A chute's rate has had a track from now on."""
    turn_rate(s, c)
    track.booked_mm = <int32_t>length_mm(s, track)
    track.booked_slot = s.chutes[c].rate_slot
    count_rate(s, c, track.booked_slot, 1, track.booked_mm)


cdef inline void book(State* s, int32_t t, int c) noexcept nogil:
    """Track `t` keeps a place in a chute, and in no other."""
    cdef Track* track = &s.tracks[t]
    if track.booked == c:
        return
    unbook(s, t)
    track.booked = c
    track.booked_load = track.load
    add_load(&s.chutes[c].booked, &track.booked_load, 1)
    if has_rate(&s.chute_table[c]):
        book_rate(s, track, c)
    note_crowd(s, c)


cdef inline void book_anew(State* s, int32_t t) noexcept nogil:
    """More is known of track `t`'s weight or size: so much of its chute it takes."""
    cdef Track* track = &s.tracks[t]
    if track.booked == NO_INDEX:
        return
    add_load(&s.chutes[track.booked].booked, &track.booked_load, -1)
    track.booked_load = track.load
    add_load(&s.chutes[track.booked].booked, &track.booked_load, 1)
    note_crowd(s, track.booked)


cdef inline bint is_calm(const State* s, int c) noexcept nogil:
    """Whether nothing of an open chute can be new: neither of its eyes has a word to say, and it is nowhere near full."""
    cdef const ChuteStatus* chute = &s.chutes[c]
    cdef const Chute* row = &s.chute_table[c]
    if chute.state != OPEN or chute.said_state != OPEN or chute.due_at != NOBODY:
        return False
    if chute.level | chute.was_full | chute.nearly_level | chute.was_nearly_full:
        return False
    return row.count_max == 0 or chute.held.n_parcels < row.nearly_full_count


cdef inline void land(State* s, int32_t t, int c) noexcept nogil:
    """Track `t` is in a chute: where it kept a place, it takes that one."""
    if s.tracks[t].booked == c:
        leave_place(s, t)
    else:
        unbook(s, t)
    add_load(&s.chutes[c].held, &s.tracks[t].load, 1)
    note_crowd(s, c)
    if not is_calm(s, c):
        look_at_chute(s, c)


cdef inline void set_out(State* s, int c) noexcept nogil:
    """One more is committed to a chute."""
    s.chutes[c].n_going += 1


cdef inline void arrive_or_not(State* s, int c) noexcept nogil:
    """One that was committed to a chute is in it, or will not come: a closing one may be drained by that."""
    s.chutes[c].n_going -= 1
    if s.chutes[c].state == CLOSING and s.chutes[c].n_going == 0:
        look_at_chute(s, c)


# A person's word


cdef inline void take_level(State* s, const Record* input) noexcept nogil:
    """A full eye (device 0) or a nearly-full eye (device 1) was blocked or cleared."""
    cdef int c = input.chute
    cdef ChuteStatus* chute = &s.chutes[c]
    cdef int32_t level = input.value != 0
    cdef int64_t t_ns = input.t_ns if input.t_ns < s.now_ns else s.now_ns
    if input.device == 0 and chute.level != level:
        chute.was_full = is_full(s, c)
        chute.level = level
        chute.level_ns = t_ns
    elif input.device == 1 and chute.nearly_level != level:
        chute.was_nearly_full = is_nearly_full(s, c)
        chute.nearly_level = level
        chute.nearly_level_ns = t_ns
    look_at_chute(s, c)


cdef inline void take_operate(State* s, const Record* input) noexcept nogil:
    """Sets a chute's state. Open after anything but disabled and faulty means that it has been emptied."""
    cdef int c = input.chute
    cdef ChuteStatus* chute = &s.chutes[c]
    if input.value == OPEN and chute.state != DISABLED and chute.state != FAULT:
        memset(&chute.held, 0, sizeof(Load))
        note_crowd(s, c)
    chute.state = <int32_t>input.value
    look_at_chute(s, c)
