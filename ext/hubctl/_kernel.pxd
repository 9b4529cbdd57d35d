"""The kernel's C face, for the reactor and the simulated hub."""

from libc.stdint cimport int64_t

from hubctl._assignment cimport Batch
from hubctl._records cimport Record
from hubctl._state cimport Head, State

# Feeds `n` inputs at `now_ns`; writes at most `n_out_max` records to `out` and returns how many.
# `n_out_max` must be at least KERNEL_OUT_MIN * n.
cdef int kernel_step(State* state, int64_t now_ns, const Record* inputs, int n, Record* out, int n_out_max) noexcept nogil

# When the kernel must be stepped next even if nothing happens (a fire is due, a confirm runs out), ns; INT64_MAX: never.
cdef int64_t kernel_next_deadline(const State* state) noexcept nogil

# From the next step on decide by this plan. The tables must outlive their use.
cdef void kernel_set_plan(State* state, const void* plan) noexcept nogil

# Decides for the parcels of a batch one after the other, and puts each into its chute. For a kernel whose one belt is
# a station on which nobody is; `n_said_max` must be at least KERNEL_OUT_MIN.
cdef void kernel_assign(State* state, const Batch* batch) noexcept nogil

cdef enum:
    KERNEL_OUT_MIN = 256

cdef class Kernel:
    cdef State* state
    cdef object _keep
    cdef int _take_memory(self, Head* head) except -1
    cdef int _copy_layout(self, object layout) except -1
    cdef int _restore(self, bytes snapshot) except -1
