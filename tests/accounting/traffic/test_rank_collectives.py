"""Collectives of each pipeline rank: the layers that the layout's split puts on it."""

import pytest

import dsv3calc
from dsv3calc.accounting.traffic.collectives import BY_RANK, collective_lines
from dsv3calc.schema.layout import Layout
from dsv3calc.schema.provenance import Source

H800 = dsv3calc.load_hardware("h800")
V3 = dsv3calc.load_model("deepseek-v3")
LLAMA = dsv3calc.load_model("llama-3.1-70b")
GEMMA = dsv3calc.load_model("gemma-3-27b")
IN_LAYERS = BY_RANK[:3]
LINKS = ("scale_up_bytes", "scale_out_bytes")

# Elements by the models' config.json: Llama's layer and vocabulary matrix, DeepSeek-V3's layers
LLAMA_LAYER = 8192 * (2 * 8192 + 2 * 1024) + 3 * 8192 * 28672 + 2 * 8192
LLAMA_VOCABULARY = 128256 * 8192
V3_ATTENTION = 187_107_328 + 2 * 7168
V3_DENSE = V3_ATTENTION + 3 * 7168 * 18432
V3_BESIDE_EXPERTS = V3_ATTENTION + 3 * 7168 * 2048 + 256 * 7168
V3_EXPERTS = 256 * 3 * 7168 * 2048
V3_VOCABULARY = 129280 * 7168


def layout_of(**degrees):
    return Layout(
        name="drawn",
        title="Drawn",
        sources={"test": Source(kind="assumed", citation="drawn")},
        provenance={"default": "test"},
        **degrees,
    )


def named(model, layout, **options):
    """Give the lines and those below them by name, without ``traffic.``."""
    waiting = collective_lines(
        "traffic", model, layout, hardware=H800, sequence=4096, micro_batches=8, **options
    )
    found = {}
    while waiting:
        line = waiting.pop()
        if found.get(line.name) is not line:
            found[line.name] = line
            waiting += line.parts
    return {name.removeprefix("traffic."): line.value for name, line in found.items()}


def sent(values, kind):
    return sum(values[f"{kind}.{link}"] for link in LINKS)


def of_ranks(values, kind, pp):
    return [sent(values, f"rank.{rank}.collectives.{kind}") for rank in range(pp)]


@pytest.mark.parametrize(
    ("schedule", "split"),
    [
        ("1f1b", [4, 57]),
        ("dualpipe", [4, 57]),
        ("zbv", [4, 10, 20, 27]),
        ("interleaved", [4, 10, 20, 27]),
    ],
)
def test_ranks_add_up_to_the_mean(schedule, split):
    layout = layout_of(
        tp=4, cp=2, pp=2, dp=2, ep=4, etp=2, sequence_parallel=True,
        schedule=schedule, layer_split=split,
        virtual_pipeline=2 if schedule == "interleaved" else 1,
    )  # fmt: skip
    values = named(V3, layout)
    for kind in IN_LAYERS:
        for link in LINKS:
            ranks = [values[f"rank.{rank}.collectives.{kind}.{link}"] for rank in range(2)]
            assert sum(ranks) == pytest.approx(2 * values[f"collectives.{kind}.{link}"], rel=1e-13)


def test_collectives_inside_layers_are_those_of_the_layers_of_a_rank():
    """Experts stand on 1 and 57 layers, attention on 4 and 57, blocks on 3 x 2 + 2 and 57 x 2."""
    layout = layout_of(
        tp=4, cp=2, pp=2, dp=2, ep=4, etp=2, sequence_parallel=True, layer_split=[4, 57]
    )
    values = named(V3, layout)
    for kind, layers in (
        ("expert_tensor_parallel", (1, 57)),
        ("context_parallel", (4, 57)),
        ("tensor_parallel", (4 * 2, 57 * 2)),
    ):
        first, last = of_ranks(values, kind, 2)
        assert first / last == pytest.approx(layers[0] / layers[1], rel=1e-13)
        assert values[f"busiest.collectives.{kind}.rank"] == 1
        assert sent(values, f"busiest.collectives.{kind}") == last
    # all-gather forward and backward of 4,096 / 8 tokens, 8 experts each, in two parts
    gathered = 4096 // 8 * 8 * 2 * 7168 * 2
    assert of_ranks(values, "expert_tensor_parallel", 2)[1] == 57 * 8 * 4 * gathered // 2


def test_gradients_of_a_dense_rank_by_hand():
    """A ring all-reduce over 8 sends 2 x 7/8 of FP32 gradients: of 10 layers and of 70."""
    values = named(LLAMA, layout_of(pp=2, dp=8, layer_split=[10, 70]))
    first = 10 * LLAMA_LAYER + LLAMA_VOCABULARY
    last = 70 * LLAMA_LAYER + LLAMA_VOCABULARY + 8192
    expected = [held * 4 * 2 * 7 // 8 for held in (first, last)]
    assert of_ranks(values, "data_parallel", 2) == expected
    assert values["busiest.collectives.data_parallel.rank"] == 1
    assert sent(values, "busiest.collectives.data_parallel") == expected[1]
    assert values["busiest.collectives.data_parallel.time"] == pytest.approx(expected[1] / 200e9)
    even = named(LLAMA, layout_of(pp=2, dp=8))
    ratio = last / (40 * LLAMA_LAYER + LLAMA_VOCABULARY + 8192)
    assert sent(values, "busiest.collectives.data_parallel") / sent(
        even, "busiest.collectives.data_parallel"
    ) == pytest.approx(ratio, rel=1e-13)


def test_gradients_of_ranks_with_experts_by_hand():
    """DeepSeek-V3's first 3 layers are dense: [4, 57] puts one of 58 layers of experts first."""
    values = named(V3, layout_of(pp=2, dp=16, ep=8, layer_split=[4, 57]))
    dense = [
        3 * V3_DENSE + V3_BESIDE_EXPERTS + V3_VOCABULARY,
        57 * V3_BESIDE_EXPERTS + V3_VOCABULARY + 7168,
    ]
    experts = [layers * V3_EXPERTS // 8 for layers in (1, 57)]
    # dense over 16 GPUs, experts over their 2 replicas
    expected = [
        2 * 4 * (beside * 15 / 16 + held / 2) for beside, held in zip(dense, experts, strict=True)
    ]
    assert of_ranks(values, "data_parallel", 2) == pytest.approx(expected, rel=1e-13)
    assert sent(values, "busiest.collectives.data_parallel") == pytest.approx(expected[1])


def test_gradients_of_a_rank_with_an_mtp_module_by_hand():
    """It has a layer of experts, a projection of two states, three norms and the embedding."""
    values = named(V3, layout_of(pp=2, dp=16, ep=8, layer_split=[4, 57]), mtp=True)
    module = V3_BESIDE_EXPERTS + 2 * 7168 * 7168 + 3 * 7168
    dense = 57 * V3_BESIDE_EXPERTS + module + 2 * V3_VOCABULARY + 7168
    experts = 58 * V3_EXPERTS // 8
    # the two copies of the embedding are summed over the two ends: a ring of two sends it once
    expected = 2 * 4 * (dense * 15 / 16 + experts / 2) + 4 * V3_VOCABULARY
    assert of_ranks(values, "data_parallel", 2)[1] == pytest.approx(expected, rel=1e-13)


def test_the_mean_of_gradients_has_the_embedding_that_an_mtp_module_needs():
    values = named(V3, layout_of(pp=2, dp=2), mtp=True)
    module = V3_BESIDE_EXPERTS + V3_EXPERTS + 2 * 7168 * 7168 + 3 * 7168
    layers = 61 * V3_ATTENTION + 3 * 3 * 7168 * 18432
    layers += 58 * (V3_BESIDE_EXPERTS - V3_ATTENTION + V3_EXPERTS)
    held = (layers + module) / 2 + 2 * V3_VOCABULARY + 7168
    expected = 4 * held + 4 * V3_VOCABULARY
    assert sent(values, "collectives.data_parallel") == pytest.approx(expected, rel=1e-13)


def test_gradients_of_all_ranks_are_those_of_the_model():
    parameters = 61 * V3_ATTENTION + 3 * 3 * 7168 * 18432
    parameters += 58 * (V3_BESIDE_EXPERTS - V3_ATTENTION + V3_EXPERTS)
    parameters += 2 * V3_VOCABULARY + 7168
    for schedule, copies in (("1f1b", 1), ("zbv", 1), ("dualpipe", 2)):
        layout = layout_of(pp=4, dp=2, schedule=schedule)
        ranks = of_ranks(named(V3, layout, gradient_bits=16), "data_parallel", 4)
        # over 2 replicas a GPU sends its gradients once, over 4 with the mirrored ranks 3/2
        factor = {1: 1, 2: 2 * 1.5}[copies]
        assert sum(ranks) == pytest.approx(2 * parameters * factor, rel=1e-13)


def test_an_even_split_changes_nothing():
    layout = layout_of(tp=8, pp=4, dp=4, cp=2)
    values = named(LLAMA, layout)
    listed = named(LLAMA, layout_of(tp=8, pp=4, dp=4, cp=2, layer_split=[20] * 4))
    for kind in ("tensor_parallel", "context_parallel", "data_parallel"):
        for what in (*LINKS, "messages", "time", "achieved.time"):
            mean = values[f"collectives.{kind}.{what}"]
            assert values[f"busiest.collectives.{kind}.{what}"] == mean
            assert listed[f"busiest.collectives.{kind}.{what}"] == mean
    assert values["busiest.collectives.data_parallel.rank"] == 3


def test_a_tied_embedding_stands_on_both_ends():
    """Both reduce it over their replicas, and its sum over the two; ranks between them do not."""
    values = named(GEMMA, layout_of(pp=4, dp=2, layer_split=[16, 15, 15, 16]))
    ranks = of_ranks(values, "data_parallel", 4)
    vocabulary, norm = 262208 * 5376 * 4, 5376 * 4
    assert ranks[3] - ranks[0] == norm
    assert ranks[1] == ranks[2]
    layer = ranks[1] // 15
    assert ranks[1] == 15 * layer
    assert ranks[0] == 16 * layer + 2 * vocabulary


def test_one_rank_has_no_lines_of_its_own():
    for layout in (layout_of(tp=8, dp=2), layout_of(pp=4)):
        assert not any(name.startswith(("busiest.", "rank.")) for name in named(LLAMA, layout))
