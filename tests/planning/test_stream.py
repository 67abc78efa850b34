"""A streamed run makes the same bits in fewer bytes, and exactly in those that were promised."""

from __future__ import annotations

import os

import hypothesis.strategies as st
from hypothesis import HealthCheck, assume, given, settings

from selvedge.make.measure import measure
from selvedge.planning.check import check

from .chains import Chain, any_run, arranged, chains, outputs

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "6"))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(chains(), st.data())
def test_a_streamed_chain_makes_the_same_bits_in_the_promised_bytes(chain: Chain, data: st.DataObject) -> None:
    whole = chain.lowered()
    programs = {"whole": whole}
    for number in range(3):
        start = data.draw(st.integers(0, max(0, len(whole.kernels) - 2)))
        streamed = any_run(whole, start, data.draw(st.integers(2, 8)), data.draw(st.integers(1, 5)))
        if streamed is not None:
            programs[f"streamed{number}"] = streamed
    assume(len(programs) > 1)
    plan, made = arranged(chain, programs)
    check(plan)
    found = outputs(plan, made)
    for name in programs:
        assert found[name] == found["whole"], name
    measured = measure(plan, made)
    assert measured.faults == ()
    assert measured.transient == {name: p.transient_bytes for name, p in plan.programs.items()}
