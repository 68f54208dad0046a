"""One composition, three evaluators: a whole model's cost on integers, arrays and symbols."""

import msgspec
import numpy as np
import pytest
import sympy
from drawn import examples
from hypothesis import given
from hypothesis import strategies as st
from strategies import models

import dsv3calc
from dsv3calc.accounting.flops import flops_lines
from dsv3calc.accounting.kv_cache import kv_lines
from dsv3calc.accounting.parameters import PARAMETER_VARIANTS, parameter_lines
from dsv3calc.accounting.roofline import roofline_lines
from dsv3calc.accounting.weights import weight_lines
from dsv3calc.schema.model import MLA, MoE
from dsv3calc.schema.workload import Conventions, Workload

EVERYTHING = PARAMETER_VARIANTS["with-mtp"][0]
BF16 = dsv3calc.load_kv_format("bf16")
FP8_WEIGHTS = dsv3calc.load_precision("fp8-deepseek-v3")
H800 = dsv3calc.load_hardware("h800")

fewer = examples(12)
counts = st.sampled_from(["causal", "full", "half"])
phases = st.sampled_from(["train", "prefill", "decode"])
workloads = st.tuples(st.integers(1, 5), st.integers(1, 20), st.integers(0, 20))


def symbol(name):
    return sympy.Symbol(name, integer=True, nonnegative=True)


def published(lines):
    return {line.name: line.value for top in lines for line in top.published()}


def flops(model, phase, batch, sequence, past, **conventions):
    workload = Workload(phase=phase, batch=batch, sequence=sequence, past=past)
    return published(flops_lines(model, workload, Conventions(**conventions)))


def kv(model, batch, tokens, page_size=1, **conventions):
    choices = Conventions(**conventions)
    return published(
        kv_lines(model, BF16, choices, batch=batch, tokens=tokens, page_size=page_size)
    )


def params(model):
    return published(parameter_lines(model, EVERYTHING, "with-mtp"))


def weights(model):
    return published(weight_lines(model, FP8_WEIGHTS, EVERYTHING, "with-mtp"))


def assert_symbols_give(expressions, replaced, expected):
    assert list(expressions) == list(expected)
    for name, value in expected.items():
        found = sympy.sympify(expressions[name]).subs(replaced)
        assert found.is_number, name
        if type(value) is int:
            assert found == value, name
        else:
            assert float(found) == pytest.approx(value, rel=1e-13), name


# Symbols


@fewer
@given(model=models(), phase=phases, work=workloads, attention=counts)
def test_flops_with_a_symbolic_workload(model, phase, work, attention):
    names = [symbol(name) for name in ("batch", "sequence", "past")]
    expressions = flops(model, phase, *names, attention=attention, mtp="in")
    expected = flops(model, phase, *work, attention=attention, mtp="in")
    assert_symbols_give(expressions, dict(zip(names, work, strict=True)), expected)


@fewer
@given(model=models(), batch=st.integers(1, 5), tokens=st.integers(1, 40), page=st.integers(1, 9))
def test_cache_with_symbolic_batch_tokens_and_page(model, batch, tokens, page):
    names = [symbol(name) for name in ("batch", "tokens", "page_size")]
    expressions = kv(model, *names, mtp="in")
    expected = kv(model, batch, tokens, page, mtp="in")
    replaced = dict(zip(names, (batch, tokens, page), strict=True))
    known = {name: value for name, value in expected.items() if name in expressions}
    assert known["kv_cache.bytes"]
    assert_symbols_give({name: expressions[name] for name in known}, replaced, known)


FIELDS = {
    "model": ("hidden_size", "vocab_size", "num_hidden_layers"),
    "attention": (
        "num_attention_heads", "num_key_value_heads", "head_dim", "kv_lora_rank", "v_head_dim",
        "qk_nope_head_dim", "qk_rope_head_dim", "sliding_window", "attention_chunk_size",
    ),
    "feed_forward": (
        "intermediate_size", "moe_intermediate_size", "n_routed_experts", "num_experts_per_tok",
        "n_shared_experts",
    ),
}  # fmt: skip


def symbolic(model, chosen):
    """Put symbols in the place of a model's numbers; return it and what each stands for."""
    replaced = {}

    def swap(struct, kind, place):
        names = {
            name: symbol(f"{place}{name}")
            for name in FIELDS[kind]
            if name in chosen and getattr(struct, name, None)
        }
        replaced.update({each: getattr(struct, name) for name, each in names.items()})
        return msgspec.structs.replace(struct, **names)

    groups = [
        msgspec.structs.replace(
            group,
            attention=swap(group.attention, "attention", f"a{index}."),
            feed_forward=swap(group.feed_forward, "feed_forward", f"f{index}."),
        )
        for index, group in enumerate(model.groups)
    ]
    return swap(msgspec.structs.replace(model, groups=groups), "model", ""), replaced


every_field = sorted(name for names in FIELDS.values() for name in names)
some_fields = st.sets(st.sampled_from(every_field), min_size=1, max_size=6)


@fewer
@given(model=models(), chosen=some_fields)
def test_parameters_of_a_model_with_symbols(model, chosen):
    unknown, replaced = symbolic(model, chosen)
    assert_symbols_give(params(unknown), replaced, params(model))


@fewer
@given(model=models(), chosen=some_fields)
def test_weights_of_a_model_with_symbols(model, chosen):
    unknown, replaced = symbolic(model, chosen)
    assert_symbols_give(weights(unknown), replaced, weights(model))


@fewer
@given(model=models(), chosen=some_fields, phase=phases, work=workloads, attention=counts)
def test_flops_of_a_model_with_symbols(model, chosen, phase, work, attention):
    unknown, replaced = symbolic(model, chosen)
    expected = flops(model, phase, *work, attention=attention)
    assert_symbols_give(flops(unknown, phase, *work, attention=attention), replaced, expected)


@fewer
@given(model=models(), chosen=some_fields, tokens=st.integers(1, 40))
def test_cache_of_a_model_with_symbols(model, chosen, tokens):
    unknown, replaced = symbolic(model, chosen)
    expected = kv(model, 3, tokens)
    expressions = kv(unknown, 3, tokens)
    shared = {name: value for name, value in expected.items() if name in expressions}
    assert shared["kv_cache.bytes"]
    assert_symbols_give({name: expressions[name] for name in shared}, replaced, shared)


def test_the_depth_of_deepseek_v3_as_a_symbol():
    """``3:`` is all but three layers, whatever the depth."""
    model = dsv3calc.load_model("deepseek-v3")
    depth = sympy.Symbol("L", integer=True, positive=True)
    unknown = msgspec.structs.replace(model, num_hidden_layers=depth)
    whole = params(unknown)["parameters.total"]
    expected = dsv3calc.query("params deepseek-v3 --with-mtp")["parameters.total"]
    assert whole.subs(depth, 61) == expected
    for layers in (3, 30, 100):
        asked = f"params deepseek-v3 --with-mtp --set num_hidden_layers={layers + 1}"
        assert whole.subs(depth, layers + 1) == dsv3calc.query(asked)["parameters.total"]


def test_experts_per_token_of_deepseek_v3_as_a_symbol():
    model = dsv3calc.load_model("deepseek-v3")
    chosen = sympy.Symbol("k", integer=True, positive=True)
    groups = [
        msgspec.structs.replace(
            group,
            feed_forward=msgspec.structs.replace(group.feed_forward, num_experts_per_tok=chosen),
        )
        if isinstance(group.feed_forward, MoE)
        else group
        for group in model.groups
    ]
    unknown = msgspec.structs.replace(model, groups=groups)
    active = sympy.expand(published(parameter_lines(unknown, EVERYTHING, "x"))["parameters.active"])
    slope = sympy.diff(active, chosen)
    assert slope == 59 * 3 * 7168 * 2048  # 58 layers and the MTP module's
    assert (
        active.subs(chosen, 8)
        == dsv3calc.query("params deepseek-v3 --with-mtp")["parameters.active"]
    )


# Arrays


def column(values):
    return np.array(values, dtype=np.float64)


def assert_rows_equal(found, scalars):
    """Hold each array result to the scalar results of its rows: exactly, below 2^53."""
    for name, values in found.items():
        rows = np.broadcast_to(values, len(scalars)).tolist()
        for value, scalar in zip(rows, scalars, strict=True):
            if type(scalar[name]) is int:
                assert abs(scalar[name]) < 2**53
                assert value == scalar[name], name
            else:
                assert value == pytest.approx(scalar[name], rel=1e-13), name


@given(
    model=models(),
    phase=phases,
    rows=st.lists(workloads, min_size=2, max_size=4),
    attention=counts,
    mla=st.sampled_from(["naive", "absorbed", "latent"]),
)
def test_flops_over_arrays_of_workloads(model, phase, rows, attention, mla):
    choices = {"attention": attention, "mla": mla, "mtp": "in"}
    columns = [column(each) for each in zip(*rows, strict=True)]
    found = flops(model, phase, *columns, **choices)
    assert_rows_equal(found, [flops(model, phase, *row, **choices) for row in rows])
    assert found["flops.total"].dtype == np.float64


@given(
    model=models(),
    rows=st.lists(
        st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 9)),
        min_size=2,
        max_size=4,
    ),
)
def test_cache_over_arrays_of_batch_tokens_and_pages(model, rows):
    columns = [column(each) for each in zip(*rows, strict=True)]
    found = kv(model, *columns)
    scalars = [kv(model, *row) for row in rows]
    shared = {name: found[name] for name in found if name in scalars[0]}
    assert_rows_equal(shared, scalars)
    assert found["kv_cache.bytes"].dtype == np.float64


@given(model=models(), sizes=st.lists(st.integers(1, 50), min_size=2, max_size=4))
def test_parameters_over_an_array_of_widths(model, sizes):
    def sized(hidden):
        return msgspec.structs.replace(model, hidden_size=hidden)

    found = params(sized(column(sizes)))
    assert_rows_equal(found, [params(sized(size)) for size in sizes])


@fewer
@given(
    model=models(),
    phase=st.sampled_from(["prefill", "decode"]),
    rows=st.lists(workloads, min_size=2, max_size=4),
)
def test_roofline_over_arrays_of_workloads(model, phase, rows):
    def bounds(batch, sequence, past):
        workload = Workload(phase=phase, batch=batch, sequence=sequence, past=past)
        lines = roofline_lines(
            "roofline",
            model,
            workload,
            Conventions(mtp="in"),
            precision=FP8_WEIGHTS,
            kv_format=BF16,
            hardware=H800,
        )
        return {line.name: line.value for line in lines}

    found = bounds(*(column(each) for each in zip(*rows, strict=True)))
    scalars = [bounds(*row) for row in rows]
    for name, values in found.items():
        rows_found = np.broadcast_to(values, len(rows)).tolist()
        assert rows_found == pytest.approx([scalar[name] for scalar in scalars], rel=1e-12), name


def test_decode_of_deepseek_v3_over_a_grid():
    """Large numbers: a batch and a context of the size that serving has."""
    model = dsv3calc.load_model("deepseek-v3")
    batches, contexts = [1, 7, 128, 4096], [0, 4096, 131_072]
    grid = flops(model, "decode", column(batches)[:, None], 1, column(contexts)[None, :])
    for i, batch in enumerate(batches):
        for j, past in enumerate(contexts):
            exact = flops(model, "decode", batch, 1, past)["flops.total"]
            assert grid["flops.total"].shape == (4, 3)
            found = grid["flops.total"][i, j]
            assert found == exact if exact < 2**53 else abs(int(found) - exact) <= np.spacing(found)


def test_a_training_step_of_deepseek_v3_is_beyond_64_bits_and_exact():
    model = dsv3calc.load_model("deepseek-v3")
    assert any(isinstance(group.attention, MLA) for group in model.groups)
    step = flops(model, "train", 15_360, 4096, 0)
    one = flops(model, "train", 1, 4096, 0)
    assert step["flops.total"] == 15_360 * one["flops.total"] > 2**63
    assert type(step["flops.total"]) is int
