"""Following: eyes open, correct and miss tracks; a wheel looks at each track when its belt reaches a count.

A parcel seen where nobody is expected becomes a stray: followed, never diverted. What becomes of one not seen in its
window, `_unproved.pxd` says.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t

from hubctl._carriers cimport is_loop
from hubctl._choice cimport arm_timer, assign, bar, close_track, commit_counts_at, eye_deadline, route
from hubctl._identity cimport hold_number
from hubctl._health cimport note_standing
from hubctl._motion cimport can_have_run, counts_at, is_timed, shown, take_counter, time_of, was_blind
from hubctl._order cimport (
    clear_timer,
    due_in_slot,
    leave_plans,
    say_used_up,
    take_track,
)
from hubctl._paddle cimport divert_failed, plan_divert
from hubctl._records cimport (
    DIVERT_FAILED,
    LOST,
    LOST_PARCEL,
    MEASURED,
    MISSED_WINDOW,
    NO_COUNTS,
    NO_INDEX,
    NO_READ,
    OK,
    OPENED,
    OVERSIZE,
    SEEN,
    TIMED,
    UNEXPECTED,
    UNEXPECTED_TRACK,
    Record,
)
from hubctl._riding cimport reach_ride_point
from hubctl._schedule cimport commit, conclude_fired, reach_commit_point
from hubctl._state cimport (
    BARRED,
    COMMITTED_TRACK,
    EYE_PASSED,
    FIRED_TRACK,
    NOBODY,
    ON_BELT,
    ROOM_MIN,
    ROUTED,
    SLOT_SHIFT,
    STRAY,
    UNPROVED,
    BeltState,
    EyeState,
    State,
    Track,
    heap_push,
    heap_remove,
    room,
    say,
)
from hubctl._stamps cimport trigger_scanners
from hubctl._tables cimport END, INDUCT, Eye
from hubctl._transfer cimport arrive, enter, follower, leads_on
from hubctl._unproved cimport acquit, give_up, lose_displaced, may_be_there, pass_eye, prove, set_jammed, unprove, watch_eyes
from hubctl._window cimport expected_counts, is_in_window, least, window_for


cdef inline int32_t open_track(State* s, int b, int64_t origin_counts, int64_t from_counts, int32_t behind) noexcept nogil:
    """A new track on a belt from a place on, just ahead of `behind`; NOBODY (and an alarm) when every track is in use."""
    cdef int32_t t = take_track(s)
    cdef Track* track
    if t == NOBODY:
        say_used_up(s, b)
        return NOBODY
    track = &s.tracks[t]
    track.parcel = s.head.next_parcel
    s.head.next_parcel += 1
    hold_number(s, t)
    track.origin_counts = origin_counts
    track.length_counts = -1
    track.opened_ns = s.now_ns
    track.chute = NO_INDEX
    track.exit = NO_INDEX
    track.said_chute = NO_INDEX
    track.lane = -1
    track.state = ON_BELT
    track.reason = NO_READ
    enter(s, t, b, origin_counts, from_counts, behind)
    return t


cdef inline void say_opened(State* s, int32_t t, uint16_t device, int64_t counts) noexcept nogil:
    cdef Record* record = say(s, OPENED, s.tracks[t].parcel)
    record.device = device
    record.counts = counts
    if s.tracks[t].marks & STRAY:
        record.flags |= UNEXPECTED_TRACK
    if s.belt_table[s.tracks[t].belt].encoder_node == NO_INDEX:
        record.flags |= TIMED


cdef inline int32_t induct(State* s, int e, int64_t counts) noexcept nogil:
    cdef const Eye* eye = &s.eye_table[e]
    cdef int64_t origin_counts = counts - eye.at_counts
    cdef int32_t behind = follower(s, eye.belt, origin_counts, eye.at_counts)
    cdef int32_t t = open_track(s, eye.belt, origin_counts, eye.at_counts, behind)
    if t == NOBODY:
        return NOBODY
    say_opened(s, t, e, counts)
    route(s, t, NO_READ)
    return t


cdef inline int32_t open_stray(State* s, int e, int64_t counts, int32_t behind) noexcept nogil:
    """Somebody whom this eye did not expect: followed to the belt's end, never diverted."""
    cdef const Eye* eye = &s.eye_table[e]
    cdef int32_t t = open_track(s, eye.belt, counts - eye.at_counts, eye.at_counts, behind)
    if t == NOBODY:
        return NOBODY
    s.tracks[t].marks = STRAY | BARRED
    s.tracks[t].answered = <unsigned int>-1
    s.tracks[t].from_counts = 0  # it may have been on the belt for long
    say_opened(s, t, e, counts)
    assign(s, t, s.belt_table[eye.belt].end_chute, UNEXPECTED)
    return t


cdef inline bint is_blind_for(const State* s, int32_t t, int e) noexcept nogil:
    """Whether the eye's node was down for any of the time in which track `t` should have come."""
    cdef int64_t from_ns = time_of(s, s.tracks[t].belt, expected_counts(s, t, e) - s.eye_table[e].window_counts)
    return was_blind(s, s.eye_table[e].node, from_ns)


cdef inline bint is_beyond_divert(const State* s, int32_t t, int e) noexcept nogil:
    """Whether a fired parcel comes to an eye only if its divert failed: a long one may reach a near eye before."""
    cdef const Track* track = &s.tracks[t]
    cdef int64_t divert_counts = s.diverter_table[s.chute_table[track.exit].diverter].at_counts
    return s.eye_table[e].at_counts > divert_counts + track.length_counts // 2 + s.eye_table[e].window_counts


cdef inline void miss(State* s, int32_t t, int e) noexcept nogil:
    """Track `t` was not seen at an eye. One whose node was down proves nothing; a fired parcel has probably left."""
    if is_blind_for(s, t, e) or (s.tracks[t].state == FIRED_TRACK and not is_beyond_divert(s, t, e)):
        pass_eye(s, t, e)
        arm_timer(s, t)
    elif s.tracks[t].state == FIRED_TRACK:
        pass_eye(s, t, e)
        s.tracks[t].marks |= EYE_PASSED
        clear_timer(s, t)
        conclude_fired(s, t)
    elif may_be_there(s, t, e):
        unprove(s, t, e)
    else:
        give_up(s, t)


cdef inline void reschedule(State* s, int32_t t, int64_t by_counts) noexcept nogil:
    """A committed track was seen `by_counts` late: so is its fire."""
    cdef Track* track = &s.tracks[t]
    cdef int32_t* heap = s.fires + track.belt * s.head.n_tracks_max
    heap_remove(s.tracks, heap, &s.belts[track.belt].n_fires, t)
    track.fire_counts += by_counts
    plan_divert(s, track)
    track.heap_key = track.fire_counts
    heap_push(s.tracks, heap, &s.belts[track.belt].n_fires, t)


cdef inline void say_seen(State* s, int32_t t, int e, int64_t counts, int64_t error_counts) noexcept nogil:
    cdef Record* record = say(s, SEEN, s.tracks[t].parcel)
    record.device = e
    record.counts = counts
    record.limit = window_for(s, t, e, error_counts)
    record.error_um = <int>(error_counts * 1000000 // s.belt_table[s.eye_table[e].belt].counts_per_m)


cdef inline void seen(State* s, int32_t t, int e, int64_t counts) noexcept nogil:
    """Track `t` came: its position is now exact. One that was fired did not leave."""
    cdef Track* track = &s.tracks[t]
    cdef int64_t error_counts = counts - expected_counts(s, t, e)
    say_seen(s, t, e, counts, error_counts)
    pass_eye(s, t, e)
    acquit(s, e)
    s.eyes[e].under = t
    if track.state == COMMITTED_TRACK:
        reschedule(s, t, error_counts)
    track.origin_counts += error_counts
    if track.state == FIRED_TRACK and is_beyond_divert(s, t, e):
        divert_failed(s, track)
        leave_plans(s, t)
        track.state = ON_BELT
        bar(s, t, DIVERT_FAILED)
    else:
        arm_timer(s, t)


cdef inline void miss_overdue(State* s, int e, int64_t counts) noexcept nogil:
    """Everybody who should have passed this eye before `counts` did not."""
    cdef int32_t t = s.eyes[e].expected
    while t != NOBODY and counts > expected_counts(s, t, e) + window_for(s, t, e, 1) and room(s) >= 8:
        miss(s, t, e)
        t = s.eyes[e].expected


cdef inline bint end_leads_on(const State* s, int32_t t) noexcept nogil:
    """Whether track `t`'s belt ends at another: then it is on its way until its leading edge has come to the end."""
    return leads_on(s, s.belt_table[s.tracks[t].belt].end_chute)


cdef inline int64_t time_at_end(const State* s, const Track* track) noexcept nogil:
    """When a track that has run past its belt's end was there: no later than the belt's last count, nor long before it."""
    cdef int64_t last_ns = s.belts[track.belt].t_ns
    cdef int64_t end_ns = time_of(s, track.belt, track.origin_counts + s.belt_table[track.belt].length_counts)
    cdef int64_t first_ns = last_ns - s.belt_table[track.belt].stale_ns
    return least(end_ns if end_ns > first_ns else first_ns, last_ns)
cdef inline int32_t find_stray(State* s, int e, int64_t counts, int32_t behind) noexcept nogil:
    """A stray, in whose place nobody else can be."""
    cdef int32_t t = open_stray(s, e, counts, behind)
    if t != NOBODY:
        lose_displaced(s, t, e)
    return t


cdef inline void close_at_end(State* s, int32_t t) noexcept nogil:
    """Track `t` has left at the belt's end; a divert that was still planned for it has been missed."""
    cdef Track* track = &s.tracks[t]
    if track.state != ON_BELT or track.marks & UNPROVED:
        leave_plans(s, t)
        track.state = ON_BELT
        track.chute = s.belt_table[track.belt].end_chute
        track.exit = track.chute
        if track.reason == OK:
            track.reason = MISSED_WINDOW
    arrive(s, t, time_at_end(s, track))


cdef inline void block_eye(State* s, int e, int64_t counts) noexcept nogil:
    """A leading edge: a new parcel at the induct eye, the expected one elsewhere, or a stray."""
    cdef int32_t t
    s.eyes[e].blocked_counts = counts
    s.eyes[e].under = NOBODY
    if s.eye_table[e].role == INDUCT:
        s.eyes[e].under = induct(s, e, counts)
        return
    miss_overdue(s, e, counts)
    t = s.eyes[e].expected
    if t != NOBODY and is_in_window(s, t, e, counts):
        seen(s, t, e, counts)
    else:
        s.eyes[e].under = find_stray(s, e, counts, t)
    t = s.eyes[e].under
    if s.eye_table[e].role == END and t != NOBODY and s.tracks[t].state != FIRED_TRACK and not end_leads_on(s, t):
        close_at_end(s, t)


cdef inline void measure(State* s, int32_t t, int64_t length_counts) noexcept nogil:
    """The trailing edge at the first eye gives the length; too long a parcel is not diverted."""
    cdef Track* track = &s.tracks[t]
    cdef bint is_too_long = length_counts > s.belt_table[track.belt].parcel_counts_max
    track.length_counts = length_counts
    say(s, MEASURED, track.parcel).value = length_counts
    if is_too_long and not track.marks & STRAY:
        bar(s, t, OVERSIZE)
    elif track.state == ON_BELT or track.state == ROUTED:
        arm_timer(s, t)


cdef inline void disown(State* s, int32_t t, int e, int64_t length_counts) noexcept nogil:
    """What passed in the place of track `t` has another length: `t` is lost, and a stranger is on the belt."""
    cdef int32_t behind = s.tracks[t].behind
    cdef int64_t counts = s.eyes[e].blocked_counts
    close_track(s, t, LOST, LOST_PARCEL)
    t = open_stray(s, e, counts, behind)
    if t != NOBODY:
        measure(s, t, length_counts)


cdef inline void clear_eye(State* s, int e, int64_t counts) noexcept nogil:
    cdef int32_t t = s.eyes[e].under
    cdef int64_t length_counts = counts - s.eyes[e].blocked_counts
    cdef int64_t difference
    s.eyes[e].under = NOBODY
    if t == NOBODY:
        return
    if s.tracks[t].length_counts < 0:
        measure(s, t, length_counts)
        s.tracks[t].marks &= ~UNPROVED
        return
    if s.tracks[t].state == FIRED_TRACK:
        return
    difference = length_counts - s.tracks[t].length_counts
    if difference > s.eye_table[e].length_window_counts or difference < -s.eye_table[e].length_window_counts:
        disown(s, t, e, length_counts)
    elif s.tracks[t].marks & UNPROVED:
        prove(s, t)


cdef inline int64_t counts_told(State* s, int b, const Record* input, int64_t late_ns) noexcept nogil:
    """Where belt `b` was at an input: by the counter taken with it up to `late_ns` ago, else by its time."""
    cdef int64_t counts
    if input.counts == NO_COUNTS:
        return counts_at(s, b, input.t_ns)
    if s.belts[b].n_samples == 0:
        take_counter(s, b, input.counts, input.t_ns)
    counts = shown(s, b, input.counts)
    return counts if can_have_run(s, b, counts, input.t_ns, late_ns) else counts_at(s, b, input.t_ns)


cdef inline bint is_placed(const State* s, int b, const Record* input) noexcept nogil:
    """Whether an edge can be placed: it carries a count, or the belt was followed at its time, and its counter is trusted."""
    if s.belts[b].silent:
        return False
    if input.counts != NO_COUNTS or is_timed(&s.belt_table[b]):
        return True
    return s.belts[b].n_samples > 0 and input.t_ns - s.belts[b].t_ns <= s.belt_table[b].stale_ns


cdef inline bint is_seen_again(const State* s, int e, const Record* input, int64_t counts) noexcept nogil:
    """Whether an edge is of what passed this eye before the belt was jogged backward."""
    cdef const BeltState* belt = &s.belts[s.eye_table[e].belt]
    if input.t_ns <= belt.turned_ns or counts > belt.turned_counts + s.eye_table[e].debounce_counts:
        return False
    return counts < belt.turned_counts or s.eyes[e].blocked == (input.value != 0)


cdef inline void take_eye(State* s, const Record* input) noexcept nogil:
    """An edge. One that cannot be placed proves nothing, and the eye begins anew with the next."""
    cdef int e = input.device
    cdef int b = s.eye_table[e].belt
    cdef int64_t counts
    if s.eyes[e].out_of_use:
        return
    note_standing(s, e, input)
    if not is_placed(s, b, input):
        s.eyes[e].under = NOBODY
        s.eyes[e].blocked = 0
        return
    counts = counts_told(s, b, input, s.belt_table[b].told_late_ns)
    if is_seen_again(s, e, input, counts):
        return
    s.eyes[e].blocked = input.value != 0
    if not input.value:
        set_jammed(s, e, False)
    if input.value:
        block_eye(s, e, counts)
        trigger_scanners(s, e, counts)
    else:
        clear_eye(s, e, counts)


cdef inline void look_at(State* s, int32_t t) noexcept nogil:
    """A track's time has come: its commit point, or the end of its window at the next eye or the belt's end."""
    cdef Track* track = &s.tracks[t]
    cdef int64_t counts = s.belts[track.belt].counts
    if track.state == ROUTED and commit_counts_at(s, track, track.exit) <= counts:
        reach_commit_point(s, t)
    elif eye_deadline(s, track) > counts:
        arm_timer(s, t)
    elif is_loop(s, track.belt):
        reach_ride_point(s, t)
    elif track.next_eye != NO_INDEX:
        miss(s, t, track.next_eye)
    elif track.state == FIRED_TRACK:
        track.marks |= EYE_PASSED
        conclude_fired(s, t)
    else:
        close_at_end(s, t)


cdef inline void turn_wheel(State* s, int b) noexcept nogil:
    """Looks at every track of belt `b` whose timer is due, in order of their counts within a slot."""
    cdef int64_t counts = s.belts[b].counts
    cdef int64_t slot
    cdef int32_t t
    if s.belts[b].watch:
        s.belts[b].watch = 0
        watch_eyes(s, b)
    if counts - s.belts[b].wheel_counts > <int64_t>s.head.n_slots << SLOT_SHIFT:
        s.belts[b].wheel_counts = counts - (<int64_t>s.head.n_slots << SLOT_SHIFT)
    while True:
        slot = s.belts[b].wheel_counts >> SLOT_SHIFT
        t = due_in_slot(s, b, slot & (s.head.n_slots - 1), counts)
        if t != NOBODY:
            if room(s) < ROOM_MIN:
                s.head.backlog = 1
                return
            clear_timer(s, t)
            look_at(s, t)
        elif (slot + 1) << SLOT_SHIFT > counts:
            return
        else:
            s.belts[b].wheel_counts = (slot + 1) << SLOT_SHIFT
            s.belts[b].watch = 1
