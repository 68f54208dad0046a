"""Families of hybrid models: small configs against what was measured on real tensors."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from measured_hybrids import ALIKE, MEASURED

import dsv3calc

CONFIGS = Path(__file__).with_name("configs")


@pytest.mark.parametrize("name", MEASURED)
def test_a_small_model_is_counted_as_it_was_measured(name):
    path, measured = CONFIGS / f"{name}.json", MEASURED[name]
    found = dsv3calc.query(f"params {path} --variant trainable")
    assert found["parameters.total"] == measured.parameters
    library = "--as transformers"
    assert dsv3calc.query(f"kv {path} --context 200 {library}")["kv_cache.bytes"] == measured.cache
    prefill = dsv3calc.query(f"flops {path} --phase prefill --seq 200 {library}")
    assert prefill["flops.total"] == measured.prefill
    decode = dsv3calc.query(f"flops {path} --phase decode --context 200 {library}")
    assert decode["flops.total"] == measured.decode


@pytest.mark.parametrize(("name", "other"), ALIKE.items())
def test_a_type_that_differs_in_the_feed_forward_alone(name, other):
    """The dense one of 320 channels less the mixture: 8 experts and a shared one of 64, its gate,
    and the router."""
    dense, sparse = (
        dsv3calc.query(f"params {CONFIGS / f'{each}.json'}")["parameters.total"]
        for each in (name, other)
    )
    assert dense - sparse == 4 * 256 * (3 * 320 - 9 * 3 * 64 - 1 - 8)
