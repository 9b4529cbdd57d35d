"""A person says that a parcel is off the belt: so it is, and nobody looks for it any more.

Should it lie there still, the next eye sees a stray.
"""

from libc.stdint cimport int32_t

from hubctl._carriers cimport is_loop
from hubctl._choice cimport close_track
from hubctl._doubt cimport relieve
from hubctl._identity cimport track_of_parcel
from hubctl._records cimport REMOVED, REMOVED_PARCEL, Record
from hubctl._state cimport NOBODY, State


cdef inline void take_removal(State* s, const Record* input) noexcept nogil:
    cdef int32_t t = track_of_parcel(s, input.parcel)
    if t == NOBODY:
        return
    if not is_loop(s, s.tracks[t].belt):
        relieve(s, t)
    close_track(s, t, REMOVED, REMOVED_PARCEL)
