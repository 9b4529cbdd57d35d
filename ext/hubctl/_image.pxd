"""What a polled image says that the one before it did not."""

from libc.stdint cimport int64_t, uint8_t

from hubctl._batch cimport Batch
from hubctl._wires cimport Field

# Adds the inputs that the reply `data` to a poll, sampled at `sampled_ns`, means, and keeps it as the poll's image.
cdef void image_take(Field* field, int poll, const uint8_t* data, int n_data, int64_t sampled_ns,
                     Batch* batch) noexcept nogil
