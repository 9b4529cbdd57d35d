"""Commit, fire, confirm: a divert is settled at its commit point, written at its count, proved by its chute eye.

Late is never done late: a fire whose time is over becomes MISSED_WINDOW and the parcel goes on.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint16_t, uint32_t

from hubctl._arming cimport (
    clear_way,
    fires_by_count,
    has_room_for_more,
    is_being_taken_back,
    is_beyond_recall,
    leave_told,
    meets_another,
    take_back_untold,
    tell_divert,
)
from hubctl._carriers cimport has_deadline, is_loop
from hubctl._choice cimport (
    arm_timer,
    assign,
    close_track,
    close_where_sent,
    committed_refusal,
    fire_counts_at,
    has_missed_its_wave,
    ride_on,
    send_to_end,
    skip,
    try_next,
    way_refusal,
)
from hubctl._chutes cimport is_overbooked, set_out
from hubctl._identity cimport track_of_parcel
from hubctl._jam cimport note_chute_eye
from hubctl._motion cimport NS_PER_S, at_speed, is_followed, planning_speed, shown, time_of, travel, was_blind
from hubctl._order cimport join_chute_queue, leave_plans
from hubctl._paddle cimport divert_failed, divert_worked, drop_divert, expect_home, is_ready, plan_divert
from hubctl._pressed cimport may_be_another, is_pressed
from hubctl._records cimport (
    CHUTE_FULL,
    COMMITTED,
    CONFIRMED,
    FIRE_OUTPUT,
    FIRED,
    GAP_TOO_SMALL,
    LATCHED,
    LOST,
    LOST_PARCEL,
    MISSED_WINDOW,
    NO_COUNTS,
    NO_INDEX,
    NODE_DOWN,
    NONE,
    NOT_AT_SPEED,
    OK,
    OK_UNCONFIRMED,
    UNEXPECTED,
    WAVE_MISSED,
    Record,
)
from hubctl._state cimport (
    ARMED,
    COMMITTED_TRACK,
    CONFIRM_OVER,
    EYE_PASSED,
    FIRED_TRACK,
    MAY_BE_ANOTHER,
    N_STEPS,
    NOBODY,
    NOT_TOLD,
    ON_BELT,
    ROOM_MIN,
    ROUTED,
    State,
    Track,
    heap_push,
    heap_remove,
    room,
    say,
)
from hubctl._standing cimport is_in_doubt
from hubctl._tables cimport LINE, STATION, Chute, Diverter
from hubctl._transfer cimport arrive, leads_on

cdef enum:
    RESULT_NS = 50000000  # for a node's word to be heard, after its divert is void


cdef inline int64_t length_at_most(const State* s, const Track* track) noexcept nogil:
    """Of a track whose trailing edge no eye has seen yet, as long as one may be."""
    return track.length_counts if track.length_counts >= 0 else s.belt_table[track.belt].parcel_counts_max


cdef inline bint has_room_beside(const State* s, int32_t t, int64_t clear_counts, int64_t hold_ns) noexcept nogil:
    """Whether no neighbour reaches into the belt that the paddle sweeps around the parcel's centre, so far as eyes show."""
    cdef const Track* track = &s.tracks[t]
    cdef int64_t held = travel(planning_speed(s, track.belt), hold_ns // 2)
    cdef int64_t centre = track.origin_counts + track.length_counts // 2
    cdef const Track* other
    if clear_counts < held:
        clear_counts = held
    if is_pressed(s, t):
        return False
    if track.ahead != NOBODY:
        other = &s.tracks[track.ahead]
        if other.origin_counts + length_at_most(s, other) > centre - clear_counts:
            return False
    if track.behind != NOBODY:
        if s.tracks[track.behind].origin_counts < centre + clear_counts:
            return False
    return True


cdef inline bint runs(const State* s, const Track* track) noexcept nogil:
    """Whether a track's belt is at speed, and the belt that its exit leads onto: there who comes next lies on it."""
    cdef uint16_t beyond = s.chute_table[track.exit].to_belt
    return at_speed(s, track.belt) and (beyond == NO_INDEX or at_speed(s, beyond))


cdef inline uint16_t place_refusal(const State* s, int32_t t, const Diverter* diverter) noexcept nogil:
    """Why track `t` cannot be diverted from where it is: after a silence of the encoder it may be far beyond."""
    cdef int64_t fire_counts = fire_counts_at(s, &s.tracks[t], diverter)
    if fire_counts < s.belts[s.tracks[t].belt].counts:
        return MISSED_WINDOW
    if is_being_taken_back(s, &s.tracks[t]):
        return MISSED_WINDOW
    if is_loop(s, s.tracks[t].belt):
        return NONE
    if not has_room_beside(s, t, diverter.clear_counts, diverter.hold_ns):
        return GAP_TOO_SMALL
    return NONE if is_ready(s, &s.tracks[t], fire_counts) else GAP_TOO_SMALL


cdef inline uint16_t commit_refusal(const State* s, int32_t t) noexcept nogil:
    """Why track `t` cannot be diverted into its chute after all; NONE if it can."""
    cdef const Track* track = &s.tracks[t]
    cdef uint16_t reason = way_refusal(s, track.chute, track.exit)
    if reason != NONE:
        return reason
    if is_overbooked(s, track.chute):
        return CHUTE_FULL
    if has_missed_its_wave(s, track):
        return WAVE_MISSED
    if not is_followed(s, track.belt) or not runs(s, track) or is_in_doubt(s, track):
        return NOT_AT_SPEED
    if track.length_counts < 0 or may_be_another(track):
        return MISSED_WINDOW
    if s.belt_table[track.belt].kind == STATION:
        return NONE
    return place_refusal(s, t, &s.diverter_table[s.chute_table[track.exit].diverter])


cdef inline void next_best(State* s, int32_t t, uint16_t reason) noexcept nogil:
    """The chute chosen is not to be had: the next of the lane, or the exception."""
    cdef Track* track = &s.tracks[t]
    skip(s, t, track.chute, reason)
    track.state = ON_BELT
    if track.reason == OK:
        try_next(s, t, reason)
    elif is_loop(s, track.belt) and track.chute == s.belt_table[track.belt].end_chute:
        ride_on(s, t, track.reason)
    else:
        send_to_end(s, t, track.reason)


cdef inline void set_fire(State* s, Track* track) noexcept nogil:
    """The divert of a track is where it would have to be now."""
    track.fire_counts = fire_counts_at(s, track, &s.diverter_table[s.chute_table[track.exit].diverter])


cdef inline void number_divert(State* s, Track* track) noexcept nogil:
    """A divert has a number of its own; its node may know it by one."""
    if not track.marks & ARMED:
        track.seq = s.head.next_seq
        s.head.next_seq += 1


cdef inline void settle_divert(State* s, int32_t t) noexcept nogil:
    """The divert of track `t` is committed where it is to be fired."""
    cdef Track* track = &s.tracks[t]
    cdef Record* record
    track.heap_key = track.fire_counts
    track.state = COMMITTED_TRACK
    set_out(s, track.exit)
    plan_divert(s, track)
    heap_push(s.tracks, s.fires + track.belt * s.head.n_tracks_max, &s.belts[track.belt].n_fires, t)
    record = say(s, COMMITTED, track.parcel)
    record.chute = track.exit
    record.seq = track.seq
    record.plan = track.plan
    record.counts = s.belts[track.belt].counts
    record.limit = track.fire_counts


cdef inline void commit(State* s, int32_t t) noexcept nogil:
    cdef Track* track = &s.tracks[t]
    set_fire(s, track)
    number_divert(s, track)
    settle_divert(s, t)
    clear_way(s, track)
    tell_divert(s, track)


cdef inline uint16_t ahead_refusal(const State* s, int32_t t) noexcept nogil:
    """Why the node of track `t` is not told of its divert before the commit; NONE if it is."""
    cdef uint16_t reason = commit_refusal(s, t)
    if reason != NONE:
        return reason
    return NONE if has_room_for_more(s, &s.tracks[t]) else NODE_DOWN


cdef inline void tell_ahead(State* s, int32_t t) noexcept nogil:
    """The route of track `t` is firm, or its divert has moved: its node is told, so that it can do without us."""
    cdef Track* track = &s.tracks[t]
    if is_beyond_recall(s, track):
        track.marks |= NOT_TOLD
    elif ahead_refusal(s, t) != NONE:
        take_back_untold(s, track)
    else:
        set_fire(s, track)
        if meets_another(s, track):
            take_back_untold(s, track)
        else:
            number_divert(s, track)
            tell_divert(s, track)
    arm_timer(s, t)


cdef inline void reach_commit_point(State* s, int32_t t) noexcept nogil:
    """The last moment to change: settle the divert, or go on to the next best."""
    cdef uint16_t reason = commit_refusal(s, t)
    if reason == NONE or is_beyond_recall(s, &s.tracks[t]):
        commit(s, t)
        arm_timer(s, t)
    else:
        next_best(s, t, reason)


cdef inline int64_t due_of(const State* s, int32_t t) noexcept nogil:
    if s.belt_table[s.tracks[t].belt].kind == STATION:
        return s.tracks[t].opened_ns
    return time_of(s, s.tracks[t].belt, s.tracks[t].fire_counts)


cdef inline uint16_t fire_refusal(const State* s, int32_t t, int64_t due_ns) noexcept nogil:
    cdef const Track* track = &s.tracks[t]
    cdef const Diverter* diverter = &s.diverter_table[s.chute_table[track.exit].diverter]
    cdef uint16_t reason = committed_refusal(s, track.chute, track.exit)
    if reason != NONE:
        return reason
    if not is_followed(s, track.belt):
        return MISSED_WINDOW
    if not runs(s, track) or is_in_doubt(s, track):
        return NOT_AT_SPEED
    if s.now_ns > due_ns + diverter.void_ns:
        return MISSED_WINDOW
    if s.belt_table[track.belt].kind != LINE or has_room_beside(s, t, diverter.clear_counts, diverter.hold_ns):
        return NONE
    return GAP_TOO_SMALL


cdef inline void uncommit(State* s, int32_t t, uint16_t reason) noexcept nogil:
    """The divert of track `t` will not be done: it goes on along the belt."""
    cdef Track* track = &s.tracks[t]
    drop_divert(s, track)
    leave_plans(s, t)
    track.state = ON_BELT
    if s.belt_table[track.belt].kind == STATION:
        track.reason = reason
        close_where_sent(s, t)
    elif is_loop(s, track.belt) and not has_deadline(s, track):
        close_track(s, t, LOST, LOST_PARCEL)  # its ring was lost meanwhile: nobody knows where it is
    else:
        next_best(s, t, reason)


cdef inline void say_fire(State* s, int32_t t, int64_t due_ns) noexcept nogil:
    cdef Track* track = &s.tracks[t]
    cdef int d = s.chute_table[track.exit].diverter
    cdef Record* record = say(s, FIRE_OUTPUT, track.parcel)
    record.seq = track.seq
    record.reason = track.reason
    record.plan = track.plan
    record.device = d
    record.chute = track.exit
    record.counts = track.fire_counts
    record.limit = track.fire_counts + travel(s.belts[track.belt].speed_counts_s, s.diverter_table[d].void_ns)
    record.due_ns = due_ns
    record.value = due_ns + s.diverter_table[d].void_ns


cdef inline void fire(State* s, int32_t t, int64_t due_ns) noexcept nogil:
    """Commands the output; from now on the parcel is possibly on the belt."""
    cdef Track* track = &s.tracks[t]
    if not fires_by_count(s, track):
        say_fire(s, t, due_ns)
    leave_told(s, track)
    expect_home(s, s.chute_table[track.exit].diverter, s.now_ns)
    set_out(s, track.exit)
    leave_plans(s, t)
    track.state = FIRED_TRACK
    track.marks &= ~(EYE_PASSED | CONFIRM_OVER)
    track.fired_ns = s.now_ns
    track.heap_key = s.now_ns + s.chute_table[track.exit].confirm_until_ns
    heap_push(s.tracks, s.confirms, &s.head.n_confirms, t)
    join_chute_queue(s, t)


cdef inline bint waits_for_speed(const State* s, int32_t t) noexcept nogil:
    """Whether a committed track's belt is stopping short of its fire: should it run again, nothing is lost."""
    cdef int b = s.tracks[t].belt
    if s.belt_table[b].kind == STATION or not is_followed(s, b) or at_speed(s, b):
        return False
    return s.belts[b].counts < s.tracks[t].fire_counts


cdef inline int64_t settled_ns(const State* s, int32_t t, int64_t due_ns) noexcept nogil:
    """When a committed track is fired: of one that its node fires, when nothing can be heard of it any more."""
    cdef const Diverter* diverter = &s.diverter_table[s.chute_table[s.tracks[t].exit].diverter]
    if not diverter.is_armed or due_ns == INT64_MAX:
        return due_ns
    return due_ns + diverter.void_ns + RESULT_NS


cdef inline int64_t next_fire_ns(const State* s, int b) noexcept nogil:
    """When the first fire of belt `b` must be looked at; of one that waits for speed, when the belt is silent."""
    cdef int32_t t = s.fires[b * s.head.n_tracks_max]
    if waits_for_speed(s, t):
        return s.belts[b].t_ns + s.belt_table[b].stale_ns + 1
    return settled_ns(s, t, due_of(s, t))


cdef inline void run_fires(State* s, int b) noexcept nogil:
    """Everything of belt `b` whose instant has come."""
    cdef int32_t t
    cdef int64_t due_ns
    cdef uint16_t reason
    while s.belts[b].n_fires > 0 and room(s) >= ROOM_MIN:
        t = s.fires[b * s.head.n_tracks_max]
        due_ns = due_of(s, t)
        if settled_ns(s, t, due_ns) > s.now_ns or waits_for_speed(s, t):
            return
        reason = NONE if fires_by_count(s, &s.tracks[t]) else fire_refusal(s, t, due_ns)
        if reason == NONE:
            fire(s, t, due_ns)
        else:
            uncommit(s, t, reason)


cdef inline bint can_be_seen_again(const State* s, const Track* track) noexcept nogil:
    """Whether an eye further down, or a load eye, could still prove that a fired parcel is on the belt."""
    if is_loop(s, track.belt):
        return True
    return s.belt_table[track.belt].kind != STATION and track.next_eye != NO_INDEX


cdef inline int64_t expected_ns(const State* s, const Track* track) noexcept nogil:
    """When the chute eye was to see the leading edge of a fired track: half a length before the window's middle."""
    cdef const Chute* chute = &s.chute_table[track.exit]
    cdef int64_t half_ns = track.length_counts // 2 * NS_PER_S // planning_speed(s, track.belt)
    return track.fired_ns + (chute.confirm_from_ns + chute.confirm_until_ns) // 2 - half_ns


cdef inline void conclude_fired(State* s, int32_t t) noexcept nogil:
    """Closes a fired track once nothing more can be learned of it."""
    cdef Track* track = &s.tracks[t]
    cdef bint blind = not s.chute_table[track.exit].has_confirm or was_blind(
        s, s.chute_table[track.exit].confirm_node, track.fired_ns
    )
    cdef bint eye_done = track.marks & EYE_PASSED or not can_be_seen_again(s, track)
    if blind and leads_on(s, track.exit):
        eye_done = True  # the next eye of the belt beyond is the nearer proof
    if not (track.marks & CONFIRM_OVER and eye_done):
        return
    if not blind:
        divert_failed(s, track)
        close_track(s, t, LOST, LOST_PARCEL)
        return
    if track.reason == OK and not leads_on(s, track.exit):
        track.reason = OK_UNCONFIRMED
    arrive(s, t, expected_ns(s, track))


cdef inline void run_confirms(State* s) noexcept nogil:
    """Confirm windows that are over."""
    cdef int32_t t
    while s.head.n_confirms > 0 and room(s) >= ROOM_MIN:
        t = s.confirms[0]
        if s.tracks[t].heap_key > s.now_ns:
            return
        s.tracks[t].marks |= CONFIRM_OVER
        heap_remove(s.tracks, s.confirms, &s.head.n_confirms, t)
        s.tracks[t].heap_key = INT64_MAX
        heap_push(s.tracks, s.confirms, &s.head.n_confirms, t)
        conclude_fired(s, t)


cdef inline void take_word_of_told(State* s, int32_t t, const Record* input) noexcept nogil:
    """What became of a divert that the node was told of, and that is wanted still."""
    cdef Track* track = &s.tracks[t]
    if input.reason == OK:
        if track.state == ROUTED:
            track.fire_counts = track.told_counts
            settle_divert(s, t)
        fire(s, t, input.t_ns)
        return
    leave_told(s, track)
    if track.state == COMMITTED_TRACK:
        uncommit(s, t, MISSED_WINDOW if input.reason == NONE else input.reason)
    else:
        track.marks |= NOT_TOLD


cdef inline void fire_after_all(State* s, int32_t t, const Record* input) noexcept nogil:
    """Taking it back came too late: track `t` was diverted where it was to go before."""
    cdef Track* track = &s.tracks[t]
    if track.state == COMMITTED_TRACK:
        drop_divert(s, track)
    leave_plans(s, t)
    track.state = ON_BELT
    track.seq = input.seq
    assign(s, t, track.back_chute, track.back_reason)
    fire(s, t, input.t_ns)
    arm_timer(s, t)


cdef inline void take_word_of_taken_back(State* s, int32_t t, const Record* input) noexcept nogil:
    """What became of a divert that was taken back: with that a track that is committed to it still goes on."""
    cdef Track* track = &s.tracks[t]
    cdef uint16_t reason
    track.back_seq = 0
    if input.reason == OK and track.state != FIRED_TRACK:
        fire_after_all(s, t, input)
    elif track.state == COMMITTED_TRACK and track.seq == input.seq:
        reason = committed_refusal(s, track.chute, track.exit)
        uncommit(s, t, MISSED_WINDOW if reason == NONE else reason)
    elif track.state == ROUTED:
        arm_timer(s, t)


cdef inline bint is_of_one_taken_back(const State* s, const Track* track, const Record* input) noexcept nogil:
    """Whether a word is about the divert that was taken back last, on the belt that the track is on still."""
    if track.back_seq == 0 or track.back_seq != input.seq or track.back_exit != input.chute:
        return False
    return s.diverter_table[s.chute_table[track.back_exit].diverter].belt == track.belt


cdef inline void take_word_of_node(State* s, const Record* input) noexcept nogil:
    """What became of a divert that this kernel does not count as fired."""
    cdef int32_t t = track_of_parcel(s, input.parcel)
    if t == NOBODY:
        return
    if s.tracks[t].marks & ARMED and s.tracks[t].seq == input.seq and s.tracks[t].exit == input.chute:
        take_word_of_told(s, t, input)
    elif is_of_one_taken_back(s, &s.tracks[t], input):
        take_word_of_taken_back(s, t, input)


cdef inline void take_fire_result(State* s, const Record* input) noexcept nogil:
    """What became of a fire: written at an instant, or voided."""
    cdef int32_t t
    cdef Record* record
    take_word_of_node(s, input)
    t = s.chutes[input.chute].first
    while t != NOBODY and s.tracks[t].seq != input.seq:
        t = s.tracks[t].chute_next
    if t == NOBODY:
        return
    if input.reason != OK:
        uncommit(s, t, MISSED_WINDOW if input.reason == NONE else input.reason)
        return
    record = say(s, FIRED, s.tracks[t].parcel)
    record.t_ns = input.t_ns
    record.due_ns = input.due_ns
    if input.flags & LATCHED and input.counts != NO_COUNTS:
        record.counts = shown(s, s.tracks[t].belt, input.counts)
    record.seq = input.seq
    record.chute = input.chute
    record.device = s.chute_table[input.chute].diverter
    if not s.chute_table[input.chute].has_confirm:
        s.tracks[t].marks |= CONFIRM_OVER
        conclude_fired(s, t)


cdef inline int64_t confirm_error(const State* s, int32_t t, int64_t t_ns) noexcept nogil:
    """How far an instant is from the middle of the track's confirm window, ns; -1 outside it.

    The window is for the parcel's centre; the chute eye sees its leading edge, half a length before. A carrier
    discharges sideways, so that the length of its parcel makes no difference.
    """
    cdef const Track* track = &s.tracks[t]
    cdef const Chute* chute = &s.chute_table[track.exit]
    cdef int64_t half = 0 if is_loop(s, track.belt) else track.length_counts // 2
    cdef int64_t after_ns = t_ns - track.fired_ns + half * NS_PER_S // planning_speed(s, track.belt)
    cdef int64_t error_ns = 2 * after_ns - chute.confirm_from_ns - chute.confirm_until_ns
    if after_ns < chute.confirm_from_ns or after_ns > chute.confirm_until_ns:
        return -1
    return error_ns if error_ns >= 0 else -error_ns


cdef inline int32_t awaited_in_chute(const State* s, int c, int64_t t_ns) noexcept nogil:
    """The fired track whose confirm window an instant fits best; NOBODY if there is none."""
    cdef int32_t t = s.chutes[c].first
    cdef int32_t best = NOBODY
    cdef int64_t best_ns = INT64_MAX
    cdef int64_t error_ns
    while t != NOBODY:
        error_ns = confirm_error(s, t, t_ns)
        if 0 <= error_ns < best_ns:
            best = t
            best_ns = error_ns
        t = s.tracks[t].chute_next
    return best


cdef inline void step_over(State* s, int c, int32_t t) noexcept nogil:
    """Track `t`, or somebody unexpected, is at the chute eye of an exit onto another belt: a paddle may be out for all."""
    if t == NOBODY:
        s.chutes[c].n_steps_owed = N_STEPS
    elif s.chutes[c].n_steps_owed > 0:
        s.chutes[c].n_steps_owed -= 1
        s.tracks[t].marks |= MAY_BE_ANOTHER


cdef inline void take_confirm(State* s, const Record* input) noexcept nogil:
    """A chute eye was blocked: the parcel due there about now has arrived, or somebody else has."""
    cdef int32_t t
    cdef Record* record
    note_chute_eye(s, input.chute, input.value != 0)
    if not input.value:
        return
    t = awaited_in_chute(s, input.chute, input.t_ns)
    record = say(s, CONFIRMED, 0 if t == NOBODY else s.tracks[t].parcel)
    record.chute = input.chute
    record.reason = UNEXPECTED if t == NOBODY else OK
    if leads_on(s, input.chute):
        step_over(s, input.chute, t)
    if t == NOBODY:
        return
    divert_worked(s, &s.tracks[t])
    if is_loop(s, s.tracks[t].belt):
        s.rides[t].is_off = 1
    arrive(s, t, input.t_ns)


cdef inline void tell_next_life(State* s, int32_t t) noexcept nogil:
    """The node that was told of track `t` has booted since: it is told anew, unless the belt has been there already."""
    cdef Track* track = &s.tracks[t]
    if track.told_counts <= s.belts[track.belt].counts:
        return
    leave_told(s, track)
    if track.state == ROUTED:
        arm_timer(s, t)
        return
    number_divert(s, track)
    plan_divert(s, track)
    tell_divert(s, track)


cdef inline void begin_life(State* s, int node, uint32_t life) noexcept nogil:
    """A node is up: what it was told in a life before it does no more."""
    cdef bint is_another = s.nodes[node].life != 0 and s.nodes[node].life != life
    cdef int32_t t
    cdef int32_t after
    cdef int d
    s.nodes[node].life = life
    for d in range(s.head.n_diverters if is_another else 0):
        t = s.paddles[d].first_told
        while t != NOBODY and room(s) >= ROOM_MIN // 2:
            after = s.tracks[t].told_next
            if s.chute_table[s.tracks[t].exit].node == node:
                tell_next_life(s, t)
            t = after
