"""Where the belt is: counters made 64 bits wide, counts at a time, the time of a count, the speed."""

from libc.stdint cimport INT64_MAX, int64_t

from hubctl._records cimport NO_INDEX
from hubctl._state cimport N_IMPOSSIBLE, N_SAMPLES, SAMPLE_SPACING_NS, BeltState, State
from hubctl._tables cimport LOOP, Belt

cdef enum:
    NS_PER_S = 1000000000
    N_PROOFS = 3     # parcels that clear a counter that stood
    SLACK_SHARE = 4  # so much of the shortest parcel it may be short
    PITCH_SHARE = 8  # or of a loop's carriers
    PACE_NS = 20000000


cdef inline int64_t travel(int64_t speed_counts_s, int64_t ns) noexcept nogil:
    """Counts in `ns` at a speed; whole seconds apart, so that nothing overflows."""
    return (ns // NS_PER_S) * speed_counts_s + (ns % NS_PER_S) * speed_counts_s // NS_PER_S


cdef inline int64_t extended(int64_t known, int64_t raw, int bits) noexcept nogil:
    """The 64-bit count nearest to `known` that a counter of so many bits shows as `raw`."""
    cdef int64_t span = <int64_t>1 << bits
    cdef int64_t difference = (raw - known) & (span - 1)
    if difference >= span >> 1:
        difference -= span
    return known + difference


cdef inline int64_t shown(const State* s, int b, int64_t raw) noexcept nogil:
    """The belt's count nearest to the last one at which its counter shows `raw`."""
    cdef const BeltState* belt = &s.belts[b]
    return extended(belt.counts - belt.base_counts, raw, s.belt_table[b].counter_bits) + belt.base_counts


cdef inline int64_t reach_in(const State* s, int b, int64_t ns) noexcept nogil:
    """How far belt `b` may have run in a time, either way: a quarter over its top speed, and the counter's jitter."""
    cdef int64_t speed = s.belt_table[b].speed_counts_s_max
    return travel(speed + speed // 4, ns + s.belt_table[b].jitter_ns) + 1


cdef inline bint can_have_run(const State* s, int b, int64_t counts, int64_t t_ns, int64_t late_ns) noexcept nogil:
    """Whether belt `b` can be at a count at a time, or have been up to `late_ns` before; half a turn of its counter is doubt."""
    cdef int64_t gone = counts - s.belts[b].counts
    cdef int64_t ns = t_ns - s.belts[b].t_ns
    cdef int64_t most = reach_in(s, b, ns if ns > 0 else 0)
    cdef int64_t back = reach_in(s, b, (ns if ns > 0 else -ns) + late_ns)
    return -back <= gone <= most and most < <int64_t>1 << (s.belt_table[b].counter_bits - 1)


cdef inline bint is_timed(const Belt* belt) noexcept nogil:
    return belt.encoder_node == NO_INDEX


cdef inline int64_t counts_at(const State* s, int b, int64_t t_ns) noexcept nogil:
    """Extended count of belt `b` at a time, past or (by its speed) a little ahead."""
    cdef const BeltState* belt = &s.belts[b]
    cdef int64_t ahead_ns = t_ns - belt.t_ns
    if is_timed(&s.belt_table[b]):
        return travel(s.belt_table[b].speed_counts_s, t_ns)
    if ahead_ns > s.belt_table[b].stale_ns:
        ahead_ns = s.belt_table[b].stale_ns
    return belt.counts + travel(belt.speed_counts_s, ahead_ns)


cdef inline int64_t time_of(const State* s, int b, int64_t counts) noexcept nogil:
    """When belt `b` will be (or was) at a count, ns; INT64_MAX while it stands or runs backward."""
    cdef const BeltState* belt = &s.belts[b]
    cdef int64_t speed = belt.speed_counts_s
    cdef int64_t away
    if speed <= 0 or belt.backward:
        return INT64_MAX
    away = counts - belt.counts
    return belt.t_ns + (away // speed) * NS_PER_S + (away % speed) * NS_PER_S // speed


cdef inline int64_t timed_reach(const State* s, int b, int64_t counts) noexcept nogil:
    """When a belt without an encoder will have come to a count, ns, rounded up."""
    cdef int64_t speed = s.belt_table[b].speed_counts_s
    return (counts // speed) * NS_PER_S + ((counts % speed) * NS_PER_S + speed - 1) // speed


cdef inline bint was_blind(const State* s, int node, int64_t since_ns) noexcept nogil:
    """Whether a node could not see for some of the time since an instant."""
    return not s.nodes[node].up or s.nodes[node].since_ns > since_ns


cdef inline bint is_followed(const State* s, int b) noexcept nogil:
    """Whether the belt's position is known now."""
    if is_timed(&s.belt_table[b]):
        return True
    return s.belts[b].n_samples > 0 and s.now_ns - s.belts[b].t_ns <= s.belt_table[b].stale_ns


cdef inline bint at_speed(const State* s, int b) noexcept nogil:
    return s.belts[b].speed_counts_s >= s.belt_table[b].speed_counts_s_min and not s.belts[b].backward


cdef inline int64_t planning_speed(const State* s, int b) noexcept nogil:
    """Speed to plan ahead with: the measured one, or the design speed while the belt is not at it."""
    return s.belts[b].speed_counts_s if at_speed(s, b) else s.belt_table[b].speed_counts_s


cdef inline void take_speed(BeltState* belt) noexcept nogil:
    """Speed over the samples kept; a sample is kept when the last one kept is SAMPLE_SPACING_NS old."""
    cdef int newest = (belt.n_samples - 1) % N_SAMPLES
    cdef int oldest
    cdef int64_t dt_ns
    if belt.n_samples == 0 or belt.t_ns - belt.sample_ns[newest] >= SAMPLE_SPACING_NS:
        newest = belt.n_samples % N_SAMPLES
        belt.n_samples += 1
        belt.sample_ns[newest] = belt.t_ns
        belt.sample_counts[newest] = belt.counts
    oldest = 0 if belt.n_samples <= N_SAMPLES else belt.n_samples % N_SAMPLES
    dt_ns = belt.t_ns - belt.sample_ns[oldest]
    if dt_ns > 0:
        belt.speed_counts_s = (belt.counts - belt.sample_counts[oldest]) * NS_PER_S // dt_ns


cdef inline void start_counter(State* s, int b, int64_t raw, int64_t t_ns) noexcept nogil:
    """The first count of all."""
    cdef BeltState* belt = &s.belts[b]
    belt.counts = raw & ((<int64_t>1 << s.belt_table[b].counter_bits) - 1)
    belt.wheel_counts = belt.counts
    belt.t_ns = t_ns
    take_speed(belt)


cdef inline void restart_counter(State* s, int b, int64_t raw, int64_t t_ns) noexcept nogil:
    """The counter has begun anew: the belt goes on from where it must be by its speed, and `raw` means that place."""
    cdef BeltState* belt = &s.belts[b]
    belt.counts = counts_at(s, b, t_ns)
    belt.base_counts = belt.counts - (raw & ((<int64_t>1 << s.belt_table[b].counter_bits) - 1))
    belt.t_ns = t_ns
    belt.n_samples = 0
    take_speed(belt)


cdef inline int64_t last_speed(const BeltState* belt) noexcept nogil:
    """Speed over the last moments before the belt's count last changed."""
    cdef int64_t ns = belt.moved_ns - belt.pace_ns
    return (belt.moved_counts - belt.pace_counts) * NS_PER_S // ns if ns > 0 else 0


cdef inline int64_t pace(const BeltState* belt) noexcept nogil:
    """Speed when the belt's count last changed; 0 where it was slowing down.

    What stands at once does so between two samples, and the later says too little: then the moments before count, in
    which no belt that slows down is as fast as it was on average, but for a count.
    """
    cdef int64_t speed = last_speed(belt)
    if 2 * speed >= belt.moved_speed:
        return speed
    return belt.pace_speed if belt.pace_speed + NS_PER_S // PACE_NS >= belt.moved_speed else 0


cdef inline int64_t slack_counts(const State* s, int b) noexcept nogil:
    """How much a belt may be short of its pace before its counter is doubted."""
    if s.belt_table[b].kind == LOOP:
        return s.rings[b].length_counts // s.ring_table[b].n_carriers // PITCH_SHARE
    return s.belt_table[b].parcel_counts_min // SLACK_SHARE


cdef inline void doubt_counter(State* s, int b, int64_t short_counts) noexcept nogil:
    """The counter of belt `b` stood at once: the belt may have run on by so much."""
    cdef BeltState* belt = &s.belts[b]
    if s.belt_table[b].kind == LOOP:
        s.rings[b].lost_counts_max += short_counts
        return
    belt.stood_counts = belt.moved_counts
    belt.n_unproved = N_PROOFS


cdef inline void note_move(State* s, int b, int64_t t_ns) noexcept nogil:
    """Belt `b` has moved on: too little, since it last moved, for the pace that it had then."""
    cdef BeltState* belt = &s.belts[b]
    cdef int64_t short_counts = travel(pace(belt), t_ns - belt.moved_ns) - (belt.counts - belt.moved_counts)
    if short_counts > slack_counts(s, b) and s.drives[b].told_mm_s != 0:
        doubt_counter(s, b, short_counts)
    if belt.moved_ns - belt.pace_ns >= PACE_NS:
        belt.pace_speed = last_speed(belt)
        belt.pace_ns = belt.moved_ns
        belt.pace_counts = belt.moved_counts
    belt.moved_ns = t_ns
    belt.moved_counts = belt.counts
    belt.moved_speed = belt.speed_counts_s


cdef inline void move_to(State* s, int b, int64_t counts, int64_t t_ns) noexcept nogil:
    """Belt `b` is at a count: forward, or jogged backward."""
    cdef BeltState* belt = &s.belts[b]
    cdef int64_t gone = counts - belt.counts
    if counts < belt.counts:
        if belt.counts > belt.turned_counts:
            belt.turned_counts = belt.counts
            belt.turned_ns = belt.t_ns
        belt.backward = 1
    elif counts > belt.counts:
        belt.backward = 0
    if t_ns - belt.t_ns > s.belt_table[b].stale_ns:
        belt.n_samples = 0
    belt.counts = counts
    belt.t_ns = t_ns
    take_speed(belt)
    if gone != 0:
        note_move(s, b, t_ns)


cdef inline bint take_counter(State* s, int b, int64_t raw, int64_t t_ns) noexcept nogil:
    """An encoder sample: the belt is at `raw` at `t_ns`; False if the counter has begun anew.

    A sample older than the last one adds nothing. One that no belt can have run to is a slip of the line and
    adds nothing either, unless the next one says the same.
    """
    cdef BeltState* belt = &s.belts[b]
    cdef int64_t counts
    if belt.n_samples == 0:
        start_counter(s, b, raw, t_ns)
        return True
    if t_ns < belt.t_ns:
        return True
    counts = shown(s, b, raw)
    if can_have_run(s, b, counts, t_ns, 0):
        belt.n_impossible = 0
        move_to(s, b, counts, t_ns)
        return True
    belt.n_impossible += 1
    if belt.n_impossible < N_IMPOSSIBLE:
        return True
    belt.n_impossible = 0
    restart_counter(s, b, raw, t_ns)
    return False


cdef inline void put_back(BeltState* belt, int64_t lost_counts) noexcept nogil:
    """What the counter of a belt did not count: from now on, and looking back at its speed, it did."""
    cdef int k
    belt.base_counts += lost_counts
    belt.counts += lost_counts
    belt.moved_counts += lost_counts
    belt.pace_counts += lost_counts
    for k in range(N_SAMPLES):
        belt.sample_counts[k] += lost_counts


cdef inline void take_time(State* s, int b) noexcept nogil:
    """A belt without an encoder: its count is derived from the time."""
    cdef BeltState* belt = &s.belts[b]
    belt.counts = travel(s.belt_table[b].speed_counts_s, s.now_ns)
    if belt.n_samples == 0:
        belt.wheel_counts = belt.counts
        belt.n_samples = 1
    belt.t_ns = s.now_ns
    belt.speed_counts_s = s.belt_table[b].speed_counts_s
