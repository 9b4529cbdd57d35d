"""Which chute: a label's verdict, the lane's chutes tried in order, then the exception chute of the first reason.

The order of the plan decides between a lane's chutes ("first open"); each one passed over is said with its
reason. Of two labels the one that names a lane counts, then the site's order of formats; two of one format,
or for two lanes, are MULTI_LABEL.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t
from libc.string cimport memcpy

from hubctl._carriers cimport can_be_routed, has_deadline, is_loop, is_unread, middle_comes, ride_deadline
from hubctl._identity cimport drop_identity, hold_identity
from hubctl._lookup cimport Reading, resolve
from hubctl._motion cimport planning_speed, travel
from hubctl._order cimport clear_timer, give_back, set_timer
from hubctl._silence cimport miss_answers
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
    LATE_READ,
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
    Record,
)
from hubctl._state cimport (
    BARRED,
    CODED_LABEL,
    FIRED_TRACK,
    LABELLED,
    N_CANDIDATES_MAX,
    ON_BELT,
    Paddle,
    ROUTED,
    STRAY,
    UNPROVED,
    State,
    Track,
    say,
)
from hubctl._tables cimport STATION, Belt, Chute, Diverter
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
    give_back(s, t)


cdef inline void close_where_sent(State* s, int32_t t) noexcept nogil:
    """The parcel arrived where its route led: sorted, or rejected for the reason it carries."""
    cdef uint16_t reason = s.tracks[t].reason
    close_track(s, t, reason, SORTED if reason == OK or reason == OK_UNCONFIRMED else REJECTED)


cdef inline bint is_full(const State* s, int c) noexcept nogil:
    """The full eye's word, once it has stood long enough."""
    cdef int64_t since_ns = s.now_ns - s.chutes[c].level_ns
    if s.chutes[c].level:
        return s.chutes[c].was_full or since_ns >= s.chute_table[c].full_on_ns
    return s.chutes[c].was_full and since_ns < s.chute_table[c].full_off_ns


cdef inline uint16_t diverter_refusal(const State* s, int c) noexcept nogil:
    """Why the diverter of a chute does nothing now; NONE if it does."""
    cdef const Paddle* paddle = &s.paddles[s.chute_table[c].diverter]
    if not s.nodes[s.chute_table[c].node].up:
        return NODE_DOWN
    if paddle.is_failing or paddle.is_taken_out or paddle.is_stuck:
        return CHUTE_FAULT
    return NONE


cdef inline uint16_t chute_refusal(const State* s, int c) noexcept nogil:
    """Why a chute takes nothing now; NONE if it does."""
    if s.chutes[c].state == FAULT:
        return CHUTE_FAULT
    if s.chutes[c].state >= CLOSING:
        return CHUTE_CLOSED
    if is_full(s, c):
        return CHUTE_FULL
    if s.chute_table[c].diverter != NO_INDEX:
        return diverter_refusal(s, c)
    return NONE


cdef inline uint16_t way_refusal(const State* s, int c, int exit) noexcept nogil:
    """Why a chute, or the exit of the present belt that leads to it, takes nothing now; NONE if both do."""
    cdef uint16_t reason = chute_refusal(s, c)
    return chute_refusal(s, exit) if reason == NONE and exit != c else reason


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
    """Sets track `t`'s timer to the first of its commit point and the end of its window at the next eye."""
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
    set_timer(s, t, at)


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


cdef inline void assign(State* s, int32_t t, uint16_t chute, uint16_t reason) noexcept nogil:
    """Routes track `t` to a chute for a reason, and says so if that is new."""
    cdef Track* track = &s.tracks[t]
    cdef bint diverts
    track.chute = chute
    track.exit = exit_to(s, track, chute)
    diverts = s.chute_table[track.exit].diverter != NO_INDEX
    track.reason = reason
    track.state = ROUTED if diverts and not track.marks & UNPROVED else ON_BELT
    if s.belt_table[track.belt].kind != STATION:
        arm_timer(s, t)
    say_decided(s, t)


cdef inline void say_decided(State* s, int32_t t) noexcept nogil:
    cdef Track* track = &s.tracks[t]
    cdef Record* record
    if track.said_chute == track.chute and track.said_reason == track.reason:
        return
    track.said_chute = track.chute
    track.said_reason = track.reason
    record = say(s, DECIDED, track.parcel)
    record.chute = track.chute
    record.reason = track.reason
    record.plan = track.plan
    record.value = track.lane


cdef inline void ride_on(State* s, int32_t t, uint16_t reason) noexcept nogil:
    """A parcel of a loop stays on it for the rest of its lap, and is decided anew in the next."""
    cdef Track* track = &s.tracks[t]
    track.chute = NO_INDEX
    track.exit = NO_INDEX
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


cdef inline void send_to_exception(State* s, int32_t t, uint16_t reason) noexcept nogil:
    """The exception chute of a reason, or the belt's end if that chute cannot be had.

    On a loop nobody is sent off before the scanners of its first lap have had their say.
    """
    cdef Track* track = &s.tracks[t]
    cdef uint16_t chute = s.plan.exceptions[reason] if s.plan.version else <uint16_t>NO_INDEX
    if is_loop(s, track.belt) and is_unread(s, track):
        ride_on(s, t, reason)
    elif chute == NO_INDEX or not can_be_told(s, track, chute) or way_refusal(s, chute, exit_to(s, track, chute)) != NONE:
        send_to_end(s, t, reason)
    else:
        assign(s, t, chute, reason)


cdef inline uint16_t skip_reason(const State* s, const Track* track, int c, uint16_t too_late) noexcept nogil:
    cdef uint16_t exit = exit_to(s, track, c)
    cdef uint16_t reason = chute_refusal(s, c) if exit == NO_INDEX else way_refusal(s, c, exit)
    if reason == NONE and not can_be_told(s, track, c):
        return too_late
    return reason


cdef inline void skip(State* s, int32_t t, uint16_t chute, uint16_t reason) noexcept nogil:
    cdef Track* track = &s.tracks[t]
    cdef Record* record = say(s, SKIPPED, track.parcel)
    record.chute = chute
    record.reason = reason
    if track.first_skip == NONE:
        track.first_skip = reason


cdef inline void choose(State* s, int32_t t, uint16_t too_late) noexcept nogil:
    """The first chute of the track's lane that takes it, from `candidate` on; else the exception."""
    cdef Track* track = &s.tracks[t]
    cdef const uint16_t* chutes = s.plan.chutes + s.plan.first[track.lane]
    cdef int n = s.plan.first[track.lane + 1] - s.plan.first[track.lane]
    cdef uint16_t reason
    while track.candidate < n and track.candidate < N_CANDIDATES_MAX:
        reason = skip_reason(s, track, chutes[track.candidate], too_late)
        if reason == NONE:
            assign(s, t, chutes[track.candidate], OK)
            return
        skip(s, t, chutes[track.candidate], reason)
        track.candidate += 1
    send_to_exception(s, t, track.first_skip)


cdef inline void look_up(const State* s, const char* text, int n, Reading* reading) noexcept nogil:
    """What the plan of now says of a label; a lane that it does not have is none."""
    resolve(s.plan.labels, text, n, reading)
    if reading.lane >= s.plan.n_lanes:
        reading.lane = -1
        reading.reason = NO_LANE


cdef inline void find_lane(State* s, int32_t t) noexcept nogil:
    """Looks the held label up in the plan of now."""
    cdef Track* track = &s.tracks[t]
    cdef Reading reading
    look_up(s, track.text, track.n_text, &reading)
    track.lane = reading.lane
    track.plan = s.plan.version
    track.candidate = 0
    track.reason = reading.reason
    if track.identity != reading.identity:
        drop_identity(s, t)
        track.identity = reading.identity
        hold_identity(s, t)


cdef inline void route(State* s, int32_t t, uint16_t too_late) noexcept nogil:
    """Chooses for track `t` by what is known now. A track of an older plan is looked up again."""
    cdef Track* track = &s.tracks[t]
    if is_loop(s, track.belt) and not can_be_routed(s, track):
        return
    if track.marks & BARRED or not track.marks & LABELLED:
        send_to_exception(s, t, track.reason)
        return
    if s.plan.version == 0:
        send_to_exception(s, t, NO_PLAN)
        return
    if track.plan != s.plan.version:
        find_lane(s, t)
    if track.lane < 0:
        send_to_exception(s, t, track.reason)
    else:
        choose(s, t, too_late)


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


cdef inline void keep_label(State* s, int32_t t, const Record* read, const Reading* reading) noexcept nogil:
    """The label that the parcel's last record will name, and by which it is found."""
    cdef Track* track = &s.tracks[t]
    drop_identity(s, t)
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
    track.candidate = 0
    track.first_skip = NONE
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


cdef inline uint16_t weigh(const State* s, const Track* track, const Reading* reading) noexcept nogil:
    """What a label does beside the one held: OK takes its place, MULTI_LABEL bars the parcel, NONE changes nothing."""
    cdef Reading known = held(s, track)
    if known.reason == BAD_LABEL:
        return OK
    if known.identity == reading.identity:
        return OK if track.plan == 0 and s.plan.version else NONE
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
