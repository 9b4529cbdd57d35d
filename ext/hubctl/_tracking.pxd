"""Following: eyes open, correct and miss tracks; a wheel looks at each track when its belt reaches a count.

A parcel seen where nobody is expected becomes a stray: followed, never diverted. What becomes of one not seen in its
window, `_unproved.pxd` says.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t

from hubctl._arming cimport tell_divert
from hubctl._carriers cimport is_loop
from hubctl._choice cimport arm_timer, bar, commit_counts_at, eye_deadline, tells_now
from hubctl._footprint cimport (
    begin_footprint,
    end_footprint,
    goes_on,
    is_part,
    join,
    last_within,
    settle,
    settle_due,
)
from hubctl._health cimport note_standing
from hubctl._motion cimport can_have_run, counts_at, is_timed, shown, take_counter, time_of, was_blind
from hubctl._opening cimport induct, open_stray
from hubctl._order cimport clear_timer, due_in_slot, leave_plans
from hubctl._paddle cimport divert_failed, plan_divert
from hubctl._pressed cimport fall_out_of_step, is_held_up, keep_step, meet_stranger
from hubctl._realign cimport realign
from hubctl._records cimport (
    DIVERT_FAILED,
    MISSED_WINDOW,
    MULTI_PARCEL,
    NO_COUNTS,
    NO_INDEX,
    OK,
    UNEXPECTED,
    Record,
)
from hubctl._riding cimport reach_ride_point
from hubctl._schedule cimport commit, conclude_fired, reach_commit_point, tell_ahead
from hubctl._stamps cimport trigger_scanners
from hubctl._standing cimport disprove_counter, was_seen_before
from hubctl._state cimport (
    ARMED,
    COMES_OVER,
    COMMITTED_TRACK,
    EYE_PASSED,
    FIRED_TRACK,
    MAY_BE_ANOTHER,
    NOBODY,
    NOT_TOLD,
    ON_BELT,
    ROOM_MIN,
    ROUTED,
    SLOT_SHIFT,
    STRAY,
    UNPROVED,
    BeltState,
    State,
    Track,
    heap_push,
    heap_remove,
    room,
)
from hubctl._tables cimport END, INDUCT, Belt
from hubctl._transfer cimport arrive, leads_on
from hubctl._unproved cimport acquit, lose, may_be_there, overtake, pass_eye, set_jammed, unprove, watch_eyes
from hubctl._window cimport expected_counts, is_in_window, least, say_seen, say_unseen, window_for


cdef inline bint is_blind_for(const State* s, int32_t t, int e) noexcept nogil:
    """Whether the eye's node was down for any of the time in which track `t` should have come."""
    cdef int64_t from_ns = time_of(s, s.tracks[t].belt, expected_counts(s, t, e) - s.eye_table[e].window_counts)
    return was_blind(s, s.eye_table[e].node, from_ns)


cdef inline bint is_beyond_divert(const State* s, int32_t t, int e) noexcept nogil:
    """Whether a fired parcel comes to an eye only if its divert failed: a long one may reach a near eye before."""
    cdef const Track* track = &s.tracks[t]
    cdef int64_t divert_counts = s.diverter_table[s.chute_table[track.exit].diverter].at_counts
    return s.eye_table[e].at_counts > divert_counts + track.length_counts // 2 + s.eye_table[e].window_counts


cdef inline void note_unseen(State* s, int32_t t, int e) noexcept nogil:
    say_unseen(s, t, e)
    disprove_counter(s, s.tracks[t].belt)
    if not s.tracks[t].marks & STRAY:
        fall_out_of_step(s, e)


cdef inline void miss(State* s, int32_t t, int e) noexcept nogil:
    """Track `t` was not seen at an eye. One whose node was down proves nothing, nor ends a jam; a fired parcel has probably left."""
    if is_blind_for(s, t, e) or (s.tracks[t].state == FIRED_TRACK and not is_beyond_divert(s, t, e)):
        if is_held_up(s, t):
            s.tracks[t].marks |= MAY_BE_ANOTHER
        pass_eye(s, t, e)
        arm_timer(s, t)
    elif s.tracks[t].state == FIRED_TRACK:
        pass_eye(s, t, e)
        s.tracks[t].marks |= EYE_PASSED
        clear_timer(s, t)
        conclude_fired(s, t)
    elif may_be_there(s, t, e):
        note_unseen(s, t, e)
        unprove(s, t, e)
    elif not realign(s, t, s.tracks[t].ahead, e):
        note_unseen(s, t, e)
        lose(s, t, e)


cdef inline void reschedule(State* s, int32_t t, int64_t by_counts) noexcept nogil:
    """A committed track was seen `by_counts` late: so is its fire."""
    cdef Track* track = &s.tracks[t]
    cdef int32_t* heap = s.fires + track.belt * s.head.n_tracks_max
    heap_remove(s.tracks, heap, &s.belts[track.belt].n_fires, t)
    track.fire_counts += by_counts
    plan_divert(s, track)
    track.heap_key = track.fire_counts
    if track.marks & ARMED:
        tell_divert(s, track)
    heap_push(s.tracks, heap, &s.belts[track.belt].n_fires, t)


cdef inline void seen(State* s, int32_t t, int e, int64_t counts) noexcept nogil:
    """Track `t` came: its position is now exact. One that was fired did not leave."""
    cdef Track* track = &s.tracks[t]
    cdef int64_t error_counts = counts - expected_counts(s, t, e)
    say_seen(s, t, e, counts, error_counts, window_for(s, t, e, error_counts))
    s.eyes[e].error_counts = error_counts
    s.eyes[e].run_counts = s.eye_table[e].at_counts - track.seen_counts
    s.eyes[e].may_prove = was_seen_before(s, track)
    keep_step(s, track, e, counts)
    track.seen_counts = s.eye_table[e].at_counts
    s.eyes[e].came_over = track.marks & COMES_OVER
    track.marks &= ~NOT_TOLD
    pass_eye(s, t, e)
    overtake(s, t, e)
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
    """When a track that has run past its belt's end was there: no later than the belt's last count, nor long before it.

    It may be long past: an eye close to the end may tell late whom it saw.
    """
    cdef const Belt* belt = &s.belt_table[track.belt]
    cdef int64_t last_ns = s.belts[track.belt].t_ns
    cdef int64_t end_ns = time_of(s, track.belt, track.origin_counts + belt.length_counts)
    cdef int64_t first_ns = last_ns - belt.stale_ns - belt.told_late_ns
    return least(end_ns if end_ns > first_ns else first_ns, last_ns)


cdef inline void close_at_end(State* s, int32_t t) noexcept nogil:
    """Track `t` has left at the belt's end; a divert that was still planned for it has been missed."""
    cdef Track* track = &s.tracks[t]
    cdef uint16_t end_chute = s.belt_table[track.belt].end_chute
    if track.state != ON_BELT or track.exit != end_chute or track.marks & UNPROVED:
        leave_plans(s, t)
        track.state = ON_BELT
        track.chute = end_chute
        track.exit = track.chute
        if track.reason == OK:
            track.reason = MISSED_WINDOW
    arrive(s, t, time_at_end(s, track))


cdef inline bint is_owed(State* s, int e, int64_t counts) noexcept nogil:
    """Whether a leading edge at an end eye is of a track that a blip has closed before it came."""
    cdef int64_t error = counts - s.eyes[e].owed_counts
    cdef bint is_so = s.eyes[e].owed_counts != NO_COUNTS
    s.eyes[e].owed_counts = NO_COUNTS
    return is_so and (error if error >= 0 else -error) <= s.eye_table[e].window_counts


cdef inline void find_stray(State* s, int e, int64_t counts, bint is_part) noexcept nogil:
    """Somebody whom the eye does not expect, or a part of what it has just seen."""
    cdef int32_t behind = s.eyes[e].expected
    disprove_counter(s, s.eye_table[e].belt)
    meet_stranger(s, e)
    s.eyes[e].under = open_stray(s, e, counts, behind, MULTI_PARCEL if is_part else UNEXPECTED)
    s.eyes[e].is_opener = True


cdef inline void see(State* s, int32_t t, int e, int64_t counts) noexcept nogil:
    """Track `t` came as expected; at the end eye of the last belt it is where it was to go."""
    cdef int64_t expected = expected_counts(s, t, e)
    seen(s, t, e, counts)
    if s.eye_table[e].role == END and s.tracks[t].state != FIRED_TRACK and not end_leads_on(s, t):
        close_at_end(s, t)
        s.eyes[e].owed_counts = expected


cdef inline void see_hidden(State* s, int e, int64_t counts) noexcept nogil:
    """The footprint of a track that has ended here covered those of others behind it, the last to its trailing edge."""
    cdef int32_t t = s.eyes[e].expected
    cdef int32_t last
    cdef int32_t behind
    if s.eye_table[e].role != END or s.eyes[e].last != NOBODY:
        return
    last = last_within(s, t, e, counts)
    while last != NOBODY and t != NOBODY:
        behind = NOBODY if t == last else s.tracks[t].behind
        see(s, t, e, counts - s.tracks[t].length_counts if t == last else expected_counts(s, t, e))
        t = behind


cdef inline void begin_at_induct(State* s, int e, int64_t counts) noexcept nogil:
    settle(s, e, False)
    begin_footprint(s, e, counts)
    s.eyes[e].under = induct(s, e, counts)
    s.eyes[e].is_opener = True


cdef inline void begin_beyond(State* s, int e, int64_t counts) noexcept nogil:
    """Beyond the inducts an eye sees whom it expects, or a stray."""
    cdef bint is_of_last = is_part(s, e, counts)
    cdef int32_t t
    settle(s, e, is_of_last)
    begin_footprint(s, e, counts)
    miss_overdue(s, e, counts)
    t = s.eyes[e].expected
    if t != NOBODY and is_in_window(s, t, e, counts):
        see(s, t, e, counts)
    elif not is_owed(s, e, counts):
        find_stray(s, e, counts, is_of_last)


cdef inline void block_eye(State* s, int e, int64_t counts) noexcept nogil:
    """A leading edge: of what left the eye just now, or of a new parcel."""
    if goes_on(s, e, counts):
        join(s, e, counts)
    elif s.eye_table[e].role == INDUCT:
        begin_at_induct(s, e, counts)
    else:
        begin_beyond(s, e, counts)


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
    cdef bint was_blocked = s.eyes[e].blocked
    cdef int64_t counts
    if s.eyes[e].out_of_use:
        return
    note_standing(s, e, input)
    if not is_placed(s, b, input):
        s.eyes[e].under = NOBODY
        s.eyes[e].is_fresh = False
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
    elif was_blocked:
        end_footprint(s, e, counts)
        see_hidden(s, e, counts)


cdef inline void look_at(State* s, int32_t t) noexcept nogil:
    """A track's time has come: its commit point, or the end of its window at the next eye or the belt's end."""
    cdef Track* track = &s.tracks[t]
    cdef int64_t counts = s.belts[track.belt].counts
    if track.state == ROUTED and commit_counts_at(s, track, track.exit) <= counts:
        reach_commit_point(s, t)
    elif track.state == ROUTED and tells_now(s, track):
        tell_ahead(s, t)
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
        settle_due(s, b)
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
