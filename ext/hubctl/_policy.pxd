"""In which order the chutes of a step are tried: the policy of its group.

A rank is worth less the sooner a chute is tried; of equal ranks the plan's order decides. Turns are kept by
group, and outlive a plan as long as the group is the same.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint64_t

from hubctl._carriers cimport is_loop, middle_comes
from hubctl._records cimport NO_INDEX
from hubctl._state cimport N_GROUPS_MAX, State, Track, Turn
from hubctl._tables cimport BALANCE, FIRST_OPEN, LEAST_FILLED, NEAREST, ROUND_ROBIN, Step

cdef enum:
    FAR_COUNTS = 1152921504606846976  # 2**60
    BALANCE_SCALE = 1048576  # a parcel in a chute of weight 1, so that weights to 1,000 differ


cdef inline int64_t way_counts(const State* s, const Track* track, int exit) noexcept nogil:
    """Belt from a track's leading edge to an exit of its belt; what its middle has passed is furthest."""
    cdef int d = s.chute_table[exit].diverter
    cdef int64_t at = s.belt_table[track.belt].length_counts if d == NO_INDEX else s.diverter_table[d].at_counts
    cdef int64_t way = track.origin_counts + at - s.belts[track.belt].counts
    if is_loop(s, track.belt):
        way = middle_comes(s, track, at) - s.belts[track.belt].counts
    elif way < 0 and track.length_counts > 0 and way + track.length_counts // 2 >= 0:
        way = 0
    return way if way >= 0 else way + FAR_COUNTS


cdef inline int64_t rank_by_way(const State* s, const Track* track, int c) noexcept nogil:
    cdef int exit = s.hops[track.belt * s.head.n_chutes + c]
    return FAR_COUNTS + FAR_COUNTS if exit == NO_INDEX else way_counts(s, track, exit)


cdef inline int64_t rank_by_load(const State* s, const Track* track, int c) noexcept nogil:
    """Parcels in a chute and on their way to it, other than this one."""
    return s.chutes[c].held.n_parcels + s.chutes[c].booked.n_parcels - (track.booked == c)


cdef inline Turn* turn_of(const State* s, const Step* step) noexcept nogil:
    return &s.turns[step.slot % N_GROUPS_MAX]


cdef inline int64_t rank_by_turn(const State* s, const Step* step, int k) noexcept nogil:
    cdef const Turn* turn = turn_of(s, step)
    cdef int next = turn.next % step.n_chutes if turn.key == step.key else 0
    return k - next if k >= next else k - next + step.n_chutes


cdef inline int64_t rank(const State* s, const Track* track, const Step* step, int k) noexcept nogil:
    """Where the `k`-th chute of a step comes in the order of trying."""
    cdef int c = s.plan.chutes[step.first + k]
    if step.policy == FIRST_OPEN:
        return k
    if step.policy == NEAREST:
        return rank_by_way(s, track, c)
    if step.policy == ROUND_ROBIN:
        return -1 if track.booked == c else rank_by_turn(s, step, k)
    if step.policy == LEAST_FILLED:
        return rank_by_load(s, track, c)
    return rank_by_load(s, track, c) * BALANCE_SCALE // s.plan.weights[step.first + k]


cdef inline int best_of(const State* s, const Track* track, const Step* step, int base) noexcept nogil:
    """The chute of a step to try next; -1 when all were tried. `base` is the step's place in the chain."""
    cdef int best = -1
    cdef int64_t best_rank = INT64_MAX
    cdef int64_t its_rank
    cdef int k
    for k in range(step.n_chutes):
        if track.tried >> (base + k) & 1:
            continue
        its_rank = rank(s, track, step, k)
        if its_rank < best_rank:
            best_rank = its_rank
            best = k
        if step.policy == FIRST_OPEN:
            break
    return best


cdef inline void note_turn(State* s, const Track* track, const Step* step, int k) noexcept nogil:
    """The `k`-th chute had its turn: the one behind it is next. A parcel that keeps its chute takes no other turn."""
    cdef Turn* turn
    if step.policy == ROUND_ROBIN and track.booked != s.plan.chutes[step.first + k]:
        turn = turn_of(s, step)
        turn.key = step.key
        turn.next = (k + 1) % step.n_chutes
