"""Labels advised beforehand, for those who look them up."""

from hubctl._advised cimport Advised

cdef class AdviceTable:
    cdef Advised advised
