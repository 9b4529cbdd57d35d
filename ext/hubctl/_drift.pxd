"""Drift: how far parcels come off where the counter says, from eye to eye, on the average.

A length of counter pulse that is not what the hub file says, and a belt on which parcels slip, look alike: both are
reported as the counts that a metre seems to have, a proposal that is never applied. When the average error eats more
than half of the eyes' windows the belt drifts.
"""

from libc.stdint cimport int64_t

from hubctl._health cimport say_alarm
from hubctl._records cimport ALARM_BELT_DRIFTS, DRIFTED, Record
from hubctl._state cimport (
    DRIFT_PPM,
    N_DRIFT,
    N_STRAIN,
    STRAIN_FROM,
    STRAIN_UNTIL,
    BeltState,
    EyeState,
    State,
    say,
)
from hubctl._tables cimport Eye

cdef enum:
    PPM = 1000000


cdef inline int64_t magnitude(int64_t a) noexcept nogil:
    return a if a >= 0 else -a


cdef inline void say_drift(State* s, int b, int64_t ppm) noexcept nogil:
    cdef int64_t counts_per_m = s.belt_table[b].counts_per_m
    cdef Record* record = say(s, DRIFTED, 0)
    record.device = b
    record.value = (counts_per_m * (PPM + ppm) + PPM // 2) // PPM
    record.limit = counts_per_m


cdef inline void note_drift(State* s, int b, int64_t error_counts, int64_t run_counts) noexcept nogil:
    """One more error over a run of belt; after N_DRIFT of them their average is told if it is another than last told."""
    cdef BeltState* belt = &s.belts[b]
    cdef int64_t ppm
    belt.drift_counts += error_counts
    belt.drift_run_counts += run_counts
    belt.n_drift += 1
    if belt.n_drift < N_DRIFT:
        return
    ppm = belt.drift_counts * PPM // belt.drift_run_counts
    belt.drift_counts = 0
    belt.drift_run_counts = 0
    belt.n_drift = 0
    if magnitude(ppm - belt.drift_ppm) >= DRIFT_PPM:
        belt.drift_ppm = ppm
        say_drift(s, b, ppm)


cdef inline void note_strain(State* s, const Eye* eye, int64_t error_counts) noexcept nogil:
    """How much of the window such errors eat, in thousandths: a mean that forgets."""
    cdef BeltState* belt = &s.belts[eye.belt]
    cdef int64_t window = eye.window_counts if error_counts >= 0 else eye.window_before_counts
    cdef int64_t mean
    if window <= 0:
        return
    belt.strain += error_counts * 1000 // window - belt.strain // N_STRAIN
    mean = magnitude(belt.strain // N_STRAIN)
    if mean > STRAIN_FROM:
        say_alarm(s, &belt.drifts, True, ALARM_BELT_DRIFTS, eye.belt)
    elif mean < STRAIN_UNTIL:
        say_alarm(s, &belt.drifts, False, ALARM_BELT_DRIFTS, eye.belt)


cdef inline void note_error(State* s, int e) noexcept nogil:
    """An eye has proved a track: by its error since the last. What it had on another belt says nothing of this one."""
    cdef const EyeState* eye = &s.eyes[e]
    if eye.came_over or eye.is_joined or eye.run_counts <= 0:
        return
    note_drift(s, s.eye_table[e].belt, eye.error_counts, eye.run_counts)
    note_strain(s, &s.eye_table[e], eye.error_counts)
