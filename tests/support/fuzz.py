"""Random values, for what must end in the pack's own errors whatever comes in."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

texts = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(codec=None), max_size=20),
    st.sampled_from(
        ["", " ", "..", "/", "\\", "\0", "\ud800", "a" * 400, "wan/i2v", "%year%/x", "CON", "sk-x", "9" * 300]
    ),
)
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([0, -1, 2**31, 2**63, 10**400, -(10**400), float("nan"), float("inf")]),
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


def examples(count: int) -> settings:
    """How many. They are the same each time: a test that fails once fails again."""
    return settings(
        max_examples=count, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
