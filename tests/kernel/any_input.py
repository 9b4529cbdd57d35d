"""Inputs that anything might say at any time, right or wrong, for hypothesis."""

from hypothesis import strategies as st
from line_hub import MS, plan

kinds = st.integers(1, 24)
small = st.integers(0, 8)
any_input = st.fixed_dictionaries(
    {
        "kind": kinds,
        "device": small,
        "parcel": small,
        "chute": small,
        "value": st.integers(-1, 7),
        "counts": st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 5000)),
        "t_ns": st.integers(0, 10_000 * MS),
        "reason": st.integers(0, 40),
        "seq": small,
        "limit": small,
        "plan": st.one_of(small, st.just(plan().version)),
        "flags": st.integers(0, 31),
        "n_text": st.integers(0, 60),
        "text": st.sampled_from([b"", b"420100019400111206206406260787", b"X" * 56]),
    }
)
