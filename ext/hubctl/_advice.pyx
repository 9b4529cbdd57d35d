"""Labels that the host has told of beforehand: a table of a fixed size, changed while another thread looks up.

Of each label stand the number of its destination's key, a word of customs, and the hour in which it ends.
"""

import numpy as np

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free
from libc.string cimport memchr, memcpy, memset

from hubctl._advised cimport (
    CUSTOMS_AT,
    CUSTOMS_MASK,
    CUSTOMS_SEIZED,
    ENDS_AT,
    Line,
    look_in,
    put_told,
    take_out,
    take_out_ended,
)
from hubctl._forms cimport Text
from hubctl._lookup cimport ADVICE, LENGTH_MAX
from hubctl._slots cimport Digest, digest, hub_table
from hubctl._text cimport length_of, normalise_into

N_ADVISED_MAX = 1 << 30
ENDS_MAX = (1 << 24) - 1    # hours since 1970, about 1,900 years


cdef bint digest_of(const char* label, int64_t size, Digest* out) noexcept nogil:
    """False: it is no label."""
    cdef Text text
    if not normalise_into(label, length_of(label, size), &text) or text.n == 0:
        return False
    out[0] = digest(ADVICE, text.chars, text.n)
    return True


cdef const char* first_byte(object texts) except? NULL:
    """Where an array of labels begins, which must be kept."""
    if texts.dtype.kind != "S" or texts.ndim != 1 or texts.dtype.itemsize > LENGTH_MAX or not texts.flags.c_contiguous:
        raise ValueError(f"labels of {texts.dtype}: must be bytes of at most {LENGTH_MAX}, contiguous, 1 axis")
    return <const char*><uintptr_t>texts.ctypes.data


cdef class AdviceTable:
    """Labels and what was told of them.

    Parameters
    ----------
    n_labels_max : int
        At most so many at once, 1 to N_ADVISED_MAX; 32 bytes each are taken at once.

    Raises
    ------
    ValueError
        A size out of its range.
    MemoryError
        There is not so much memory.

    Examples
    --------
    >>> table = AdviceTable(10)
    >>> table.put(np.array([b"SF1023574470215"]), np.array([7], np.uint32))
    1
    >>> table.find(b"sf 1023574470215")
    (7, 0, 0)
    """

    def __cinit__(self, int64_t n_labels_max):
        if not 1 <= n_labels_max <= N_ADVISED_MAX:
            raise ValueError(f"{n_labels_max} labels: must be 1 to {N_ADVISED_MAX}")
        self.advised.n_max = n_labels_max
        self.advised.n_lines = n_labels_max // 2 + 1
        self.advised.lines = <Line*>hub_table(self.advised.n_lines * sizeof(Line))
        if self.advised.lines == NULL:
            raise MemoryError(f"no {self.advised.n_lines * sizeof(Line)} bytes for {n_labels_max} labels")
        memset(self.advised.lines, 0, self.advised.n_lines * sizeof(Line))

    def __dealloc__(self):
        free(self.advised.lines)

    def __len__(self):
        return self.advised.n

    @property
    def n_labels_max(self):
        """How many there is room for."""
        return self.advised.n_max

    @property
    def n_lines(self):
        """Its lines of 64 bytes."""
        return self.advised.n_lines

    @property
    def n_bytes(self):
        """What the table takes."""
        return self.advised.n_lines * sizeof(Line)

    def put(self, labels not None, keys not None, customs=None, ends_h=None):
        """Tells of labels, instead of what was told of them before.

        Parameters
        ----------
        labels : bytes array, shape (n,), contiguous
        keys : uint32 array, shape (n,)
            Numbers of destination keys.
        customs : uint8 array, shape (n,), optional
        ends_h : uint32 array, shape (n,), optional
            The last hour since 1970 in which it counts; 0: it does not end.

        Returns
        -------
        int
            How many were taken, from the first on; fewer than n when there is no room for the next.

        Raises
        ------
        ValueError
            No label, arrays of different lengths, a word or an hour out of its range; nothing is taken.
        """
        cdef Py_ssize_t n = len(labels)
        cdef const char* texts = first_byte(labels)
        cdef int64_t size = labels.dtype.itemsize
        cdef const uint32_t[::1] key = np.ascontiguousarray(keys, np.uint32)
        cdef const uint8_t[::1] word = np.ascontiguousarray(np.zeros(n) if customs is None else customs, np.uint8)
        cdef const uint32_t[::1] ends = np.ascontiguousarray(np.zeros(n) if ends_h is None else ends_h, np.uint32)
        if not key.shape[0] == word.shape[0] == ends.shape[0] == n:
            raise ValueError(f"{n} labels, {key.shape[0]} keys, {word.shape[0]} and {ends.shape[0]}: must be as many")
        if n and (np.max(word) > CUSTOMS_SEIZED or np.max(ends) > ENDS_MAX):
            raise ValueError(f"customs to {np.max(word)}, hours to {np.max(ends)}: at most {CUSTOMS_SEIZED}, {ENDS_MAX}")
        digests = digests_of(labels)
        cdef const uint64_t[:, ::1] found = digests
        cdef Py_ssize_t i = 0
        cdef Digest one
        cdef uint64_t told
        with nogil:
            while i < n:
                one.key, one.check = found[i, 0], found[i, 1]
                told = <uint64_t>key[i] | <uint64_t>word[i] << CUSTOMS_AT | <uint64_t>ends[i] << ENDS_AT
                if not put_told(&self.advised, one, told):
                    break
                i += 1
        return i

    def remove(self, labels not None):
        """How many of some labels had been advised; they no longer are."""
        cdef const uint64_t[:, ::1] found = digests_of(labels)
        cdef Digest one
        cdef Py_ssize_t i, n = 0
        with nogil:
            for i in range(found.shape[0]):
                one.key, one.check = found[i, 0], found[i, 1]
                n += take_out(&self.advised, one)
        return n

    def expire(self, now_h: int, first: int = 0, n: int | None = None):
        """How many labels ended before an hour since 1970; they are no longer advised.

        Only those in `n` lines of the table from the first on are looked at, if that is given.
        """
        cdef uint64_t before = self.advised.n
        cdef uint64_t hour = now_h
        cdef uint64_t begin = min(first, self.advised.n_lines)
        cdef uint64_t end = self.advised.n_lines if n is None else min(first + n, self.advised.n_lines)
        with nogil:
            take_out_ended(&self.advised, hour, begin, end)
        return before - self.advised.n

    def n_known(self, labels not None):
        """How many of some labels are advised now."""
        cdef const uint64_t[:, ::1] found = digests_of(labels)
        cdef Digest one
        cdef uint64_t told
        cdef Py_ssize_t i, n = 0
        with nogil:
            for i in range(found.shape[0]):
                one.key, one.check = found[i, 0], found[i, 1]
                n += look_in(&self.advised, one, &told)
        return n

    def find(self, bytes label not None):
        """(number of its key, customs, ends_h) of a label; None: nobody told of it."""
        cdef Digest one
        cdef uint64_t told
        if not digest_of(label, len(label), &one) or not look_in(&self.advised, one, &told):
            return None
        return <uint32_t>told, told >> CUSTOMS_AT & CUSTOMS_MASK, told >> ENDS_AT


cdef object digests_of(object labels):
    """Both hashes of each label, shape (n, 2); ValueError names the first that is none."""
    cdef const char* texts = first_byte(labels)
    cdef int64_t size = labels.dtype.itemsize
    out = np.empty((len(labels), 2), np.uint64)
    cdef uint64_t[:, ::1] rows = out
    cdef Digest one
    cdef Py_ssize_t i, bad = -1
    with nogil:
        for i in range(rows.shape[0]):
            if not digest_of(texts + i * size, size, &one):
                bad = i
                break
            rows[i, 0], rows[i, 1] = one.key, one.check
    if bad >= 0:
        raise ValueError(f"labels[{bad}] = {labels[bad]!r}: must be 1 to {LENGTH_MAX} ASCII characters")
    return out


def are_labels(labels not None):
    """Which of some texts are labels: 1 to 56 symbols remain; bool, shape (n,)."""
    cdef const char* texts = first_byte(labels)
    cdef int64_t size = labels.dtype.itemsize
    found = np.zeros(len(labels), np.bool_)
    cdef uint8_t[::1] out = found.view(np.uint8)
    cdef Digest one
    cdef Py_ssize_t i
    with nogil:
        for i in range(out.shape[0]):
            out[i] = digest_of(texts + i * size, size, &one)
    return found


cdef int split_line(const char* line, int64_t n, int n_fields, uint8_t* row) noexcept nogil:
    """Cuts a line at its commas into fields of LENGTH_MAX bytes; False: one has no room, or there are more."""
    cdef const char* comma
    cdef int64_t size
    cdef int field = 0
    while True:
        comma = <const char*>memchr(line, c',', n)
        size = comma - line if comma != NULL else n
        if field == n_fields or size > LENGTH_MAX:
            return False
        memcpy(row + field * LENGTH_MAX, line, size)
        field += 1
        if comma == NULL:
            return True
        line, n = comma + 1, n - size - 1


def split_lines(bytes text not None, int n_fields):
    """The fields of the lines of a text: at most `n_fields`, parted by commas, none quoted.

    Parameters
    ----------
    text : bytes
        Whole lines.
    n_fields : int
        1 to 8.

    Returns
    -------
    (fields, is_bad)
        S56 array of shape (n_lines, n_fields), empty where a line has fewer; bool array of shape (n_lines,): a
        line with more fields, or with a longer one.
    """
    cdef Py_ssize_t n_lines = text.count(b"\n") + (not text.endswith(b"\n") and text != b"")
    fields, bad = np.zeros((n_lines, n_fields), f"S{LENGTH_MAX}"), np.zeros(n_lines, np.bool_)
    cdef uint8_t[::1] is_bad = bad.view(np.uint8)
    cdef uint8_t* to = <uint8_t*><uintptr_t>fields.ctypes.data
    cdef const char* at = text
    cdef const char* end = at + len(text)
    cdef const char* stop
    cdef int64_t n
    cdef Py_ssize_t i
    if not 1 <= n_fields <= 8:
        raise ValueError(f"{n_fields} fields: must be 1 to 8")
    with nogil:
        for i in range(n_lines):
            stop = <const char*>memchr(at, c'\n', end - at)
            n = (stop if stop != NULL else end) - at
            n -= n > 0 and at[n - 1] == c'\r'
            is_bad[i] = not split_line(at, n, n_fields, to + i * n_fields * LENGTH_MAX)
            at = stop + 1
    return fields, bad
