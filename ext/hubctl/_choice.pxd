"""Which chute: a label's verdict, the lane's chutes tried in order, another lap, the exception of the first reason.

A lane's chain is tried step by step, a step in the order of its policy (`_policy.pxd`); each chute passed over is
said with its reason. A label on a list goes to its exception first of all; a person's word before the lane. Of two labels the one that names a lane counts, then the site's order of formats; two of one format,
or for two lanes, are MULTI_LABEL.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint64_t
from libc.string cimport memcpy

from hubctl._arming cimport is_to_be_told, take_back
from hubctl._carriers cimport can_be_routed, has_deadline, is_loop, is_unread, middle_comes, ride_deadline
from hubctl._chutes cimport book, is_full, land, room_refusal, unbook
from hubctl._host cimport ask, is_to_be_asked
from hubctl._identity cimport drop_identity, hold_identity
from hubctl._laps cimport goes_round, had_its_laps, join_round, leave_round
from hubctl._limits cimport belt_limit, diverter_limit
from hubctl._lists cimport listed_reason
from hubctl._lookup cimport Reading, resolve
from hubctl._motion cimport planning_speed, travel
from hubctl._order cimport clear_timer, give_back, set_timer
from hubctl._policy cimport best_of, note_turn
from hubctl._silence cimport leave_unanswered, miss_answers
from hubctl._records cimport (
    AMBIGUOUS_READ,
    BAD_LABEL,
    CHUTE_CLOSED,
    CHUTE_FAULT,
    CHUTE_FULL,
    CLOSED,
    CLOSING,
    DECIDED,
    FAULT,
    HELD,
    LATE_READ,
    MAX_LAPS,
    MISSED_WINDOW,
    MULTI_LABEL,
    NO_INDEX,
    NO_LANE,
    NO_PLAN,
    NODE_DOWN,
    NONE,
    OK,
    OK_UNCONFIRMED,
    REJECTED,
    SKIPPED,
    SORTED,
    UNEXPECTED_TRACK,
    WAVE_MISSED,
    Record,
)
from hubctl._state cimport (
    BARRED,
    CODED_LABEL,
    DIRECTED,
    FIRED_TRACK,
    LABELLED,
    NOT_TOLD,
    ON_BELT,
    Paddle,
    ROUTED,
    STRAY,
    UNPROVED,
    State,
    Track,
    say,
)
from hubctl._tables cimport STATION, Belt, Diverter, Lane, Step, Wave
from hubctl._waves cimport NO_WAVE, at_door_ns, first_made, wave_at, wave_by
from hubctl._window cimport latest


cdef inline void close_track(State* s, int32_t t, uint16_t reason, uint16_t disposition) noexcept nogil:
    """The one place where a parcel's time on the sorter ends."""
    cdef Track* track = &s.tracks[t]
    cdef Record* record = say(s, CLOSED, track.parcel)
    record.reason = reason
    record.value = disposition
    record.plan = track.plan
    record.seq = track.seq
    record.chute = track.chute if disposition == SORTED or disposition == REJECTED else <uint16_t>NO_INDEX
    record.flags = UNEXPECTED_TRACK if track.marks & STRAY else 0
    if track.marks & LABELLED:
        record.n_text = track.n_text
        memcpy(record.text, track.text, sizeof(record.text))
    if disposition == SORTED or disposition == REJECTED:
        miss_answers(s, t)
    leave_unanswered(s, t, disposition == SORTED or disposition == REJECTED)
    if record.chute != NO_INDEX:
        land(s, t, record.chute)
    unbook(s, t)
    leave_round(s, t)
    give_back(s, t)


cdef inline void close_where_sent(State* s, int32_t t) noexcept nogil:
    """The parcel arrived where its route led: sorted, or rejected for the reason it carries."""
    cdef uint16_t reason = s.tracks[t].reason
    close_track(s, t, reason, SORTED if reason == OK or reason == OK_UNCONFIRMED else REJECTED)


cdef inline uint16_t diverter_refusal(const State* s, int c) noexcept nogil:
    """Why the diverter of a chute does nothing now; NONE if it does."""
    cdef const Paddle* paddle = &s.paddles[s.chute_table[c].diverter]
    if not s.nodes[s.chute_table[c].node].up or s.nodes[s.chute_table[c].node].is_safe:
        return NODE_DOWN
    if paddle.is_failing or paddle.is_taken_out or paddle.is_stuck:
        return CHUTE_FAULT
    return NONE


cdef inline uint16_t landing_refusal(const State* s, int c) noexcept nogil:
    """Why a chute takes not even what is committed to it; NONE if it does."""
    if s.chutes[c].state == FAULT:
        return CHUTE_FAULT
    if s.chutes[c].state > CLOSING:
        return CHUTE_CLOSED
    if is_full(s, c):
        return CHUTE_FULL
    if s.chute_table[c].diverter != NO_INDEX:
        return diverter_refusal(s, c)
    return NONE


cdef inline uint16_t chute_refusal(const State* s, int c) noexcept nogil:
    """Why a chute takes nobody else now; NONE if it does."""
    return CHUTE_CLOSED if s.chutes[c].state == CLOSING else landing_refusal(s, c)


cdef inline uint16_t way_refusal(const State* s, int c, int exit) noexcept nogil:
    """Why a chute, or the exit of the present belt that leads to it, takes nothing now; NONE if both do."""
    cdef uint16_t reason = chute_refusal(s, c)
    return chute_refusal(s, exit) if reason == NONE and exit != c else reason


cdef inline uint16_t committed_refusal(const State* s, int c, int exit) noexcept nogil:
    """Why a divert that is committed is not done after all; NONE if it is. A chute that closes takes it still."""
    cdef uint16_t reason = landing_refusal(s, c)
    return landing_refusal(s, exit) if reason == NONE and exit != c else reason


cdef inline uint16_t exit_to(const State* s, const Track* track, int c) noexcept nogil:
    """The exit of a track's belt that leads to a chute; NO_INDEX if none does."""
    return s.hops[track.belt * s.head.n_chutes + c]


cdef inline int64_t fire_counts_at(const State* s, const Track* track, const Diverter* diverter) noexcept nogil:
    """Count at which to write the output so that the paddle's time in the way is centred on the parcel's centre."""
    cdef int64_t lead_ns = diverter.latency_ns + diverter.hold_ns // 2
    cdef int64_t half = track.length_counts // 2 if track.length_counts > 0 else 0
    cdef int64_t lead = travel(planning_speed(s, track.belt), lead_ns)
    if is_loop(s, track.belt):
        return middle_comes(s, track, diverter.at_counts) - lead
    return track.origin_counts + diverter.at_counts + half - lead


cdef inline int64_t earliest_commit(const State* s, const Track* track, int64_t commit_counts) noexcept nogil:
    """The commit point were the belt at its top speed, from the one at its speed of now; it may speed up on the way."""
    cdef const Diverter* diverter = &s.diverter_table[s.chute_table[track.exit].diverter]
    cdef int64_t lead_ns = diverter.latency_ns + diverter.hold_ns // 2 + diverter.commit_ns
    cdef int64_t faster = s.belt_table[track.belt].speed_counts_s_max - planning_speed(s, track.belt)
    return commit_counts - travel(faster, lead_ns) if faster > 0 else commit_counts


cdef inline int64_t commit_counts_at(const State* s, const Track* track, int exit) noexcept nogil:
    cdef const Diverter* diverter = &s.diverter_table[s.chute_table[exit].diverter]
    return fire_counts_at(s, track, diverter) - travel(planning_speed(s, track.belt), diverter.commit_ns)


cdef inline bint can_be_told(const State* s, const Track* track, int c) noexcept nogil:
    """Whether a way leads to a chute, and the commit point of its exit still lies ahead."""
    cdef uint16_t exit = exit_to(s, track, c)
    if exit == NO_INDEX:
        return False
    if s.chute_table[exit].diverter == NO_INDEX or s.belt_table[track.belt].kind == STATION:
        return True
    return commit_counts_at(s, track, exit) >= s.belts[track.belt].counts


cdef inline void arm_timer(State* s, int32_t t) noexcept nogil:
    """Sets track `t`'s timer to the first of its commit point and the end of its window at the next eye.

    At once, if its node is to be told of its divert.
    """
    cdef Track* track = &s.tracks[t]
    cdef int64_t at
    cdef int64_t commit
    cdef int64_t early
    if is_loop(s, track.belt) and not has_deadline(s, track):
        clear_timer(s, t)
        return
    at = eye_deadline(s, track)
    if track.state == ROUTED:
        commit = commit_counts_at(s, track, track.exit)
        early = earliest_commit(s, track, commit)
        if early > s.belts[track.belt].counts:
            commit = early
        if commit < at:
            at = commit
        if tells_now(s, track):
            at = s.belts[track.belt].counts
    set_timer(s, t, at)


cdef inline bint tells_now(const State* s, const Track* track) noexcept nogil:
    """Whether a track's node is to be told of a divert that is planned; on a loop at the commit only."""
    cdef const Diverter* diverter = &s.diverter_table[s.chute_table[track.exit].diverter]
    if not diverter.is_armed or is_loop(s, track.belt):
        return False
    return is_to_be_told(s, track, fire_counts_at(s, track, diverter))


cdef inline int64_t eye_deadline(const State* s, const Track* track) noexcept nogil:
    """Count at which the next eye (or the belt's end) must have spoken of a track: its edge may be told late."""
    cdef const Belt* belt = &s.belt_table[track.belt]
    cdef int64_t told_late = travel(planning_speed(s, track.belt), belt.told_late_ns)
    cdef int64_t at_counts
    if is_loop(s, track.belt):
        return ride_deadline(s, track)
    if track.next_eye != NO_INDEX:
        at_counts = s.eye_table[track.next_eye].at_counts
        return track.origin_counts + at_counts + latest(s, track, track.next_eye) + told_late
    if s.chute_table[belt.end_chute].to_belt != NO_INDEX and track.state != FIRED_TRACK:
        return track.origin_counts + belt.length_counts
    return track.origin_counts + belt.length_counts + told_late


cdef inline bint is_decided_anew(const Track* track) noexcept nogil:
    """Whether a track is sent elsewhere than was said last, or by another plan."""
    if track.said_chute != track.chute or track.said_reason != track.reason:
        return True
    return track.said_wave != track.wave or track.said_plan != track.plan


cdef inline void say_decided(State* s, int32_t t) noexcept nogil:
    """Says where track `t` is sent, and by which plan, if that is new."""
    cdef Track* track = &s.tracks[t]
    cdef Record* record
    if s.is_unheard or not is_decided_anew(track):
        return
    track.said_chute = track.chute
    track.said_reason = track.reason
    track.said_wave = track.wave
    track.said_plan = track.plan
    record = say(s, DECIDED, track.parcel)
    record.chute = track.chute
    record.reason = track.reason
    record.plan = track.plan
    record.value = track.lane
    record.limit = track.wave


cdef inline void assign(State* s, int32_t t, uint16_t chute, uint16_t reason) noexcept nogil:
    """Routes track `t` to a chute for a reason: it keeps a place there, and in no other."""
    cdef Track* track = &s.tracks[t]
    cdef uint16_t exit = exit_to(s, track, chute)
    cdef bint diverts
    if exit != track.exit:
        take_back(s, track)
    track.marks &= ~NOT_TOLD
    book(s, t, chute)
    track.chute = chute
    track.exit = exit
    diverts = s.chute_table[track.exit].diverter != NO_INDEX
    track.reason = reason
    track.state = ROUTED if diverts and not track.marks & UNPROVED else ON_BELT
    if s.belt_table[track.belt].kind != STATION:
        arm_timer(s, t)
    say_decided(s, t)


cdef inline void ride_on(State* s, int32_t t, uint16_t reason) noexcept nogil:
    """A parcel of a loop stays on it for the rest of its lap, and is decided anew in the next."""
    cdef Track* track = &s.tracks[t]
    unbook(s, t)
    track.chute = NO_INDEX
    track.exit = NO_INDEX
    track.wave = NO_WAVE
    track.reason = reason
    track.state = ON_BELT
    arm_timer(s, t)
    say_decided(s, t)


cdef inline void send_to_end(State* s, int32_t t, uint16_t reason) noexcept nogil:
    """To the chute at the belt's end; of a loop to the chute that stands for it, if it can be had in this lap."""
    cdef Track* track = &s.tracks[t]
    cdef uint16_t chute = s.belt_table[track.belt].end_chute
    if is_loop(s, track.belt) and (not can_be_told(s, track, chute) or chute_refusal(s, chute) != NONE):
        ride_on(s, t, reason)
    else:
        assign(s, t, chute, reason)


cdef inline uint16_t skip_reason(const State* s, const Track* track, int c, uint16_t too_late) noexcept nogil:
    cdef uint16_t exit = exit_to(s, track, c)
    cdef uint16_t reason = chute_refusal(s, c) if exit == NO_INDEX else way_refusal(s, c, exit)
    if reason == NONE and not can_be_told(s, track, c):
        return too_late
    return diverter_limit(s, track, exit) if reason == NONE else reason


cdef inline uint16_t candidate_refusal(
    State* s, const Track* track, const Lane* lane, int c, uint16_t too_late
) noexcept nogil:
    """Why a chute is passed over for a track; NONE if it is not. `lane` NULL: as an exception."""
    cdef uint16_t reason = skip_reason(s, track, c, too_late)
    if reason != NONE:
        return reason
    if lane == NULL:
        return room_refusal(s, track, c, 0)
    if track.first_wave != NO_WAVE and wave_by(s, track, lane, track.first_wave, c) == NO_WAVE:
        return WAVE_MISSED
    return room_refusal(s, track, c, lane.priority)


cdef inline void say_skipped(State* s, int32_t t, uint16_t chute, uint16_t reason) noexcept nogil:
    cdef Record* record
    if s.is_unheard:
        return
    record = say(s, SKIPPED, s.tracks[t].parcel)
    record.chute = chute
    record.reason = reason
    record.plan = s.tracks[t].plan


cdef inline void skip(State* s, int32_t t, uint16_t chute, uint16_t reason) noexcept nogil:
    """A chute of the track's lane is passed over; the first reason is the one that counts."""
    say_skipped(s, t, chute, reason)
    if s.tracks[t].first_skip == NONE:
        s.tracks[t].first_skip = reason


cdef inline int take_step(
    State* s, int32_t t, const Lane* lane, const Step* step, int base, uint16_t too_late
) noexcept nogil:
    """The first chute of a step that takes track `t`, by the step's policy; -1 if none does."""
    cdef Track* track = &s.tracks[t]
    cdef int k = best_of(s, track, step, base)
    cdef uint16_t reason
    while k >= 0:
        reason = candidate_refusal(s, track, lane, s.plan.chutes[step.first + k], too_late)
        if reason == NONE:
            note_turn(s, track, step, k)
            track.candidate = base + k
            return s.plan.chutes[step.first + k]
        track.tried |= <uint64_t>1 << (base + k)
        skip(s, t, s.plan.chutes[step.first + k], reason)
        k = best_of(s, track, step, base)
    return -1


cdef inline int take_chain(
    State* s, int32_t t, const Lane* lane, int first_step, int n_steps, uint16_t too_late
) noexcept nogil:
    """The first chute of a chain that takes track `t`; -1 if none does."""
    cdef int base = 0
    cdef int c = -1
    cdef int i
    if s.tracks[t].chain != first_step:
        s.tracks[t].chain = first_step
        s.tracks[t].tried = 0
    for i in range(first_step, first_step + n_steps):
        c = take_step(s, t, lane, &s.plan.steps[i], base, too_late)
        if c >= 0:
            break
        base += s.plan.steps[i].n_chutes
    return c


cdef inline int take_wave(State* s, int32_t t, const Lane* lane, uint16_t too_late) noexcept nogil:
    """The first chute that takes track `t` for the first wave that it makes; -1 if none does."""
    cdef Track* track = &s.tracks[t]
    cdef const Wave* wave
    cdef int c
    track.first_wave = first_made(s, track, lane)
    if track.first_wave == NO_WAVE:
        if track.first_skip == NONE:
            track.first_skip = WAVE_MISSED
        return -1
    wave = wave_at(s, lane, track.first_wave)
    c = take_chain(s, t, lane, wave.first_step, wave.n_steps, too_late)
    if c >= 0:
        track.wave = wave_by(s, track, lane, track.first_wave, c)
    return c


cdef inline int take_lane(State* s, int32_t t, uint16_t too_late) noexcept nogil:
    """The first chute of the track's lane that takes it, of those not tried yet; -1 if none does."""
    cdef const Lane* lane = &s.plan.lanes[s.tracks[t].lane]
    s.tracks[t].wave = NO_WAVE
    s.tracks[t].first_wave = NO_WAVE
    if lane.n_waves:
        return take_wave(s, t, lane, too_late)
    return take_chain(s, t, lane, lane.first_step, lane.n_steps, too_late)


cdef inline int take_exception_group(State* s, int32_t t, const Step* step) noexcept nogil:
    """The first chute of a group of exception chutes that takes track `t`; what its lane tried is not touched."""
    cdef Track* track = &s.tracks[t]
    cdef uint64_t tried = track.tried
    cdef uint16_t candidate = track.candidate
    cdef uint16_t first_skip = track.first_skip
    cdef int c
    track.tried = 0
    c = take_step(s, t, NULL, step, 0, MISSED_WINDOW)
    track.tried = tried
    track.candidate = candidate
    track.first_skip = first_skip
    return c


cdef inline int exception_chute(State* s, int32_t t, uint16_t reason) noexcept nogil:
    """The exception chute of a reason, if it can be had; else -1."""
    cdef uint16_t chute
    cdef uint16_t refusal
    if s.plan.version == 0:
        return -1
    if s.plan.exception_steps[reason] >= 0:
        return take_exception_group(s, t, &s.plan.steps[s.plan.exception_steps[reason]])
    chute = s.plan.exceptions[reason]
    if chute == NO_INDEX:
        return -1
    refusal = candidate_refusal(s, &s.tracks[t], NULL, chute, MISSED_WINDOW)
    if refusal == NONE:
        return chute
    if s.tracks[t].said_reason != reason:
        say_skipped(s, t, chute, refusal)
    return -1


cdef inline bint has_no_chute(const State* s, uint16_t reason) noexcept nogil:
    """Whether the exception of a reason is the belt's end."""
    if s.plan.version == 0:
        return True
    return s.plan.exceptions[reason] == NO_INDEX and s.plan.exception_steps[reason] < 0


cdef inline uint16_t reason_in_this_lap(const State* s, const Track* track, uint16_t reason) noexcept nogil:
    """The reason, or MAX_LAPS of one that an end that leads back has brought round often enough."""
    if is_loop(s, track.belt) or not goes_round(s, track) or not had_its_laps(s, track):
        return reason
    return MAX_LAPS if has_no_chute(s, reason) else reason


cdef inline void send_to_exception(State* s, int32_t t, uint16_t reason) noexcept nogil:
    """The exception chute of a reason, or the belt's end if that chute cannot be had.

    On a loop nobody is sent off before the scanners of its first lap have had their say.
    """
    cdef int chute
    s.tracks[t].wave = NO_WAVE
    if is_loop(s, s.tracks[t].belt) and is_unread(s, &s.tracks[t]):
        ride_on(s, t, reason)
        return
    reason = reason_in_this_lap(s, &s.tracks[t], reason)
    chute = exception_chute(s, t, reason)
    if chute < 0:
        send_to_end(s, t, reason)
    else:
        assign(s, t, chute, reason)


cdef inline void go_round(State* s, int32_t t, uint16_t reason) noexcept nogil:
    """Track `t` begins another lap when it comes to the end of this one."""
    cdef int b = s.tracks[t].belt
    join_round(s, t)
    if is_loop(s, b):
        ride_on(s, t, reason)
    else:
        assign(s, t, s.belt_table[b].end_chute, reason)


cdef inline void give_up(State* s, int32_t t) noexcept nogil:
    """No chute of its lane takes track `t`: another lap if there is one, else the exception."""
    cdef Track* track = &s.tracks[t]
    if not goes_round(s, track) or (s.belts[track.belt].is_gridlocked and not had_its_laps(s, track)):
        send_to_exception(s, t, track.first_skip)
    elif had_its_laps(s, track):
        send_to_exception(s, t, MAX_LAPS)
    else:
        go_round(s, t, track.first_skip)


cdef inline void choose(State* s, int32_t t, uint16_t too_late) noexcept nogil:
    """A chute of the track's lane, or what there is instead."""
    cdef int c = take_lane(s, t, too_late)
    if c >= 0:
        assign(s, t, c, OK)
    else:
        give_up(s, t)


cdef inline void obey(State* s, int32_t t) noexcept nogil:
    """The chute that a person or the host said, or the exception if it cannot be had."""
    cdef Track* track = &s.tracks[t]
    cdef uint16_t reason = candidate_refusal(s, track, NULL, track.directed, MISSED_WINDOW)
    track.wave = NO_WAVE
    if reason == NONE:
        assign(s, t, track.directed, OK)
        return
    skip(s, t, track.directed, reason)
    send_to_exception(s, t, reason)


cdef inline void try_all(Track* track) noexcept nogil:
    """Every chute may be tried again; the first reason stays."""
    track.tried = 0


cdef inline void begin_anew(Track* track) noexcept nogil:
    """Every chute may be tried again, and nothing that was is a reason any more."""
    try_all(track)
    track.first_skip = NONE


cdef inline void drop_strange_lane(const State* s, Reading* reading) noexcept nogil:
    """A lane that the plan of now does not have is none."""
    if reading.lane >= s.plan.n_lanes:
        reading.lane = -1
        reading.reason = NO_LANE


cdef inline void look_up(const State* s, const char* text, int n, Reading* reading) noexcept nogil:
    """What the plan of now says of a label."""
    resolve(s.plan.labels, text, n, reading)
    drop_strange_lane(s, reading)


cdef inline void find_lane(State* s, int32_t t) noexcept nogil:
    """Looks the held label up in the plan of now."""
    cdef Track* track = &s.tracks[t]
    cdef Reading reading
    look_up(s, track.text, track.n_text, &reading)
    track.lane = reading.lane
    if not track.marks & BARRED:
        track.reason = reading.reason
    if track.identity != reading.identity:
        drop_identity(s, t)
        track.identity = reading.identity
        hold_identity(s, t)


cdef inline void renew(State* s, int32_t t) noexcept nogil:
    """From now on track `t` is decided by the plan of now, and by nothing of an older one."""
    cdef Track* track = &s.tracks[t]
    track.plan = s.plan.version
    begin_anew(track)
    if track.marks & LABELLED:
        find_lane(s, t)
    elif track.lane >= 0:
        track.lane = -1
        track.reason = NO_LANE


cdef inline void route_by_plan(State* s, int32_t t, uint16_t too_late) noexcept nogil:
    cdef Track* track = &s.tracks[t]
    cdef uint16_t listed = listed_reason(s, track.identity) if track.marks & LABELLED else <uint16_t>NONE
    if listed != NONE:
        send_to_exception(s, t, listed)
    elif track.marks & DIRECTED:
        obey(s, t)
    elif track.lane < 0:
        if is_to_be_asked(s, track):
            ask(s, t)
        send_to_exception(s, t, track.reason)
    else:
        choose(s, t, too_late)


cdef inline void route(State* s, int32_t t, uint16_t too_late) noexcept nogil:
    """Chooses for track `t` by what is known now. A track of an older plan is looked up again."""
    cdef Track* track = &s.tracks[t]
    if is_loop(s, track.belt) and not can_be_routed(s, track):
        return
    leave_round(s, t)
    if s.plan.version and track.plan != s.plan.version:
        renew(s, t)
    if track.marks & BARRED:
        send_to_exception(s, t, track.reason)
    elif s.plan.version == 0 and track.marks & LABELLED:
        send_to_exception(s, t, NO_PLAN)
    else:
        route_by_plan(s, t, too_late)


cdef inline void try_next(State* s, int32_t t, uint16_t reason) noexcept nogil:
    """Track `t` cannot have the chute that it was sent to: the next of its lane, or a later wave."""
    cdef Track* track = &s.tracks[t]
    if track.marks & DIRECTED:
        track.marks &= ~DIRECTED
        send_to_exception(s, t, reason)
        return
    if reason == WAVE_MISSED:
        track.tried = 0
    else:
        track.tried |= <uint64_t>1 << track.candidate
    route(s, t, MISSED_WINDOW)


cdef inline bint has_missed_its_wave(const State* s, const Track* track) noexcept nogil:
    """Whether the wave for which a parcel was sent to its chute will have departed."""
    cdef const Lane* lane
    if track.wave == NO_WAVE or track.plan != s.plan.version:
        return False
    lane = &s.plan.lanes[track.lane]
    return at_door_ns(s, track, lane, track.chute) > wave_at(s, lane, track.wave).departs_ns


cdef inline bint is_of_labels(uint16_t reason) noexcept nogil:
    """Whether a reason lies in what scanners say, so that a person's word settles it."""
    return reason == MULTI_LABEL or reason == AMBIGUOUS_READ


cdef inline void bar(State* s, int32_t t, uint16_t reason) noexcept nogil:
    """To the exception for good, unless its divert is already committed. A stray runs to the belt's end anyway."""
    cdef Track* track = &s.tracks[t]
    if track.marks & CODED_LABEL and is_of_labels(reason):
        return
    if track.marks & STRAY or (track.state != ON_BELT and track.state != ROUTED):
        return
    track.marks |= BARRED
    track.reason = reason
    route(s, t, LATE_READ)


cdef inline bint bar_beyond_limits(State* s, int32_t t) noexcept nogil:
    """Whether a parcel proves too heavy, wide or high for its belt: that is its reason now, as it had no other."""
    cdef uint16_t reason = belt_limit(s, &s.tracks[t])
    if reason == NONE or s.tracks[t].marks & (BARRED | STRAY):
        return False
    bar(s, t, reason)
    return True


cdef inline void keep_label(State* s, int32_t t, const Record* read, const Reading* reading) noexcept nogil:
    """The label that the parcel's last record will name, and by which it is found."""
    cdef Track* track = &s.tracks[t]
    drop_identity(s, t)
    if track.identity != reading.identity:
        track.question = 0
    track.marks |= LABELLED
    track.identity = reading.identity
    hold_identity(s, t)
    track.n_text = read.n_text
    memcpy(track.text, read.text, sizeof(track.text))


cdef inline void hold_label(State* s, int32_t t, const Record* read, const Reading* reading) noexcept nogil:
    cdef Track* track = &s.tracks[t]
    keep_label(s, t, read, reading)
    track.priority = reading.priority
    track.lane = reading.lane
    track.plan = s.plan.version
    begin_anew(track)
    if reading.lane < 0:
        track.reason = reading.reason


cdef inline void take_bad_label(State* s, int32_t t) noexcept nogil:
    if s.tracks[t].marks & (LABELLED | BARRED):
        return
    s.tracks[t].reason = BAD_LABEL
    route(s, t, LATE_READ)


cdef inline Reading held(const State* s, const Track* track) noexcept nogil:
    """What the plan of now says of the label held; one that was read under another plan is looked up again."""
    cdef Reading reading
    if track.plan != s.plan.version and s.plan.version:
        look_up(s, track.text, track.n_text, &reading)
        return reading
    reading.reason = OK
    reading.identity = track.identity
    reading.priority = track.priority
    reading.lane = track.lane
    return reading


cdef inline bint are_rivals(const Reading* known, const Reading* reading) noexcept nogil:
    """Two shipping labels: of one format, or for two lanes."""
    if known.priority == reading.priority:
        return True
    return known.lane >= 0 and reading.lane >= 0 and known.lane != reading.lane


cdef inline bint is_better(const Reading* known, const Reading* reading) noexcept nogil:
    """Whether a label says more than the one held: a lane where there was none, else by the site's order."""
    if (known.lane >= 0) != (reading.lane >= 0):
        return reading.lane >= 0
    return reading.priority < known.priority


cdef inline bint is_held_by_customs(const Track* track) noexcept nogil:
    """Whether customs have not cleared the label held: no other label on the parcel gets round that."""
    return track.reason == HELD and track.lane < 0


cdef inline uint16_t weigh(const State* s, const Track* track, const Reading* reading) noexcept nogil:
    """What a label does beside the one held: OK takes its place, MULTI_LABEL bars the parcel, NONE changes nothing."""
    cdef Reading known = held(s, track)
    if known.reason == BAD_LABEL:
        return OK
    if known.identity == reading.identity:
        return OK if track.plan == 0 and s.plan.version else NONE
    if is_held_by_customs(track) or reading.reason == HELD:
        return NONE if is_held_by_customs(track) else OK
    if are_rivals(&known, reading):
        return MULTI_LABEL
    return OK if is_better(&known, reading) else NONE


cdef inline void take_label(State* s, int32_t t, const Record* read, const Reading* reading) noexcept nogil:
    """A certain read of track `t`: the first label, a better one, the same again, or one too many."""
    cdef Track* track = &s.tracks[t]
    cdef uint16_t verdict = OK
    if track.marks & CODED_LABEL or (track.state != ON_BELT and track.state != ROUTED):
        return
    if reading.reason == BAD_LABEL:
        take_bad_label(s, t)
        return
    if track.marks & BARRED:
        if not track.marks & LABELLED:
            keep_label(s, t, read, reading)
        return
    if track.marks & LABELLED:
        verdict = weigh(s, track, reading)
    if verdict == MULTI_LABEL:
        bar(s, t, MULTI_LABEL)
    elif verdict == OK:
        hold_label(s, t, read, reading)
        route(s, t, LATE_READ)
