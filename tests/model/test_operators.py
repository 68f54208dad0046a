"""A layer is described once: what its operators hold and do adds up to the whole."""

from collections import Counter

import pytest

import dsv3calc
from dsv3calc.accounting.operators import operator_counts
from dsv3calc.accounting.parameters import tensor_elements
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import CORE, DIVISIONS, KINDS
from dsv3calc.schema.workload import Conventions, Workload

# elements that torch counts; a tied embedding is read by the lookup and by the head
PUBLISHED = {
    "deepseek-v3": 671_026_419_200,
    "deepseek-v3.2": 671_877_944_064,
    "qwen3-235b-a22b": 235_093_634_560,
    "mixtral-8x7b": 46_702_792_704,
    "gemma-3-27b": 27_009_346_304 + 262_208 * 5_376,
    "gpt-oss-120b": 116_829_156_672,
    "llama-3.1-8b": 8_030_261_248,
}

each_model = pytest.mark.parametrize("name", PUBLISHED)
FORMS = ("naive", "absorbed", "latent")


def counts(name, **choices):
    work = Workload(phase="train", batch=1, sequence=64, past=0)
    bf16 = dsv3calc.load_precision("bf16")
    return operator_counts(dsv3calc.load_model(name), work, Conventions(**choices), bf16)


def passes(each):
    return each.forward.value + each.input_gradient.value + each.weight_gradient.value


@each_model
@pytest.mark.parametrize("form", FORMS)
def test_weights_of_operators_are_the_parameters(name, form):
    held = [
        tensor_elements(tensor.name, tensor).value
        for each in counts(name, mla=form)
        for tensor in each.operator.weights
    ]
    assert sum(held) == PUBLISHED[name]


@pytest.mark.parametrize("name", ["qwen3-235b-a22b", "mixtral-8x7b", "llama-3.1-8b"])
def test_bytes_of_operators_are_two_an_element_in_bf16(name):
    assert sum(each.weight_bytes.value for each in counts(name)) == 2 * PUBLISHED[name]


@each_model
@pytest.mark.parametrize("mtp", ["in", "out"])
def test_flops_of_operators_add_up_by_component(name, mtp):
    found = counts(name, mtp=mtp)
    asked = f"flops {name} --phase train --seq 64" + (" --with-mtp" if mtp == "in" else "")
    lines = dsv3calc.query(asked)
    by_component = Counter()
    for each in found:
        component = "mtp" if each.place == "mtp" else each.operator.component
        by_component[component] += passes(each)
    assert sum(by_component.values()) == lines["flops.total"]
    for component, amount in by_component.items():
        if amount:
            assert lines[f"flops.components.{component}"] == amount


def test_llama_by_hand():
    """Llama 3.1 8B: h 4096, 32 layers, 32 heads on 8 of 128 channels, 14336 wide."""
    hidden, layers, tokens = 4096, 32, 64
    found = counts("llama-3.1-8b", attention="full")
    matrices = 2 * hidden * hidden + 2 * hidden * 1024 + 3 * hidden * 14336
    linear = 2 * tokens * (layers * matrices + 128_256 * hidden)
    core = 2 * 2 * layers * hidden * tokens * tokens
    assert sum(each.forward.value for each in found) == linear + core
    assert sum(each.weight_gradient.value for each in found) == linear
    assert sum(each.input_gradient.value for each in found) == linear + 2 * core


def test_rows_of_experts_are_those_that_tokens_are_routed_to():
    rows = {each.operator.name: each.rows.value for each in counts("deepseek-v3")}
    assert rows["experts.up_proj"] == rows["experts.down_proj"] == 8 * 64
    assert rows["router"] == rows["shared_experts.up_proj"] == 64


@each_model
@pytest.mark.parametrize("form", FORMS)
def test_operators_are_of_known_kinds_and_read_each_tensor_once(name, form):
    arch = architecture_of(dsv3calc.load_model(name))
    for view in (*arch.groups, *([arch.mtp] if arch.mtp else [])):
        operators = view.operators(form)
        assert {each.kind for each in operators} <= set(KINDS)
        assert [each.component for each in operators if each.kind == CORE][-1] == "attention_core"
        assert {tensor.division for tensor in view.tensors} <= set(DIVISIONS)
        read = Counter(tensor.name for each in operators for tensor in each.weights)
        stands = Counter(tensor.name for tensor in view.tensors)
        if form == "absorbed" and view.attention.forms:
            stands -= Counter(["kv_b_proj"])
            stands += Counter(["absorb_q", "absorb_o"])  # its two halves
        norms = view.group.block_norms
        stands["block_norms"] = min(norms, 3)  # before each block, and after them
        assert read == stands


@each_model
def test_what_is_gathered_before_a_block_is_reduced_after_it(name):
    for view in architecture_of(dsv3calc.load_model(name)).groups:
        for block in (view.attention, view.feed_forward):
            operators = block.operators("naive")
            before = {group for each in operators for group in each.before}
            assert before == {group for each in operators for group in each.after}
            assert before <= {"tp", "cp", "ep", "etp"}


def test_passes_say_what_they_read_and_write():
    """DeepSeek-V3: hidden 7168, dense layers 18432 wide, 128 heads of 192 channels, latent 512."""
    dense, sparse = architecture_of(dsv3calc.load_model("deepseek-v3")).groups

    def moved(view):
        return {
            each.name: tuple([width.value for width in side] for side in (each.reads, each.writes))
            for each in view.operators()
            if each.reads
        }

    assert moved(dense)["mlp_act"] == ([18432, 18432], [18432])
    assert moved(dense)["attention_residual"] == ([7168, 7168], [7168])
    assert moved(dense)["kv_a_layernorm"] == ([512], [512])
    assert moved(dense)["rotary"] == ([128 * 192, 64], [128 * 192, 64])
    assert moved(sparse)["expert_act"] == ([2048, 2048], [2048])
    assert moved(sparse)["dispatch"] == ([7168], [7168])
