"""Expert traffic of layouts: conservation, limits, monotony, and one composition for all kinds."""

import msgspec
import numpy as np
import pytest
import sympy

from dsv3calc.accounting.traffic.exchange import FORWARDING, LINKS, Exchange
from dsv3calc.accounting.traffic.experts import expert_lines
from dsv3calc.accounting.traffic.limits_ep import Limit, limit_lines
from dsv3calc.accounting.traffic.transfer_formats import FORMATS
from dsv3calc.catalogue import presets
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger

V3 = presets.load("model", "deepseek-v3").value
H800 = presets.load("hardware", "h800").value
PRETRAIN = presets.load("layout", "v3-pretrain").value
FORWARDINGS = tuple(FORWARDING)


def layout(**fields):
    return msgspec.structs.replace(PRETRAIN, **fields)


def count(where=PRETRAIN, model=V3, hardware=H800, exchange=None, **asked):
    lines, _ = expert_lines(model, where, hardware, exchange or Exchange(), **asked)
    return Ledger("", lines)


def with_moe(**fields):
    groups = [
        msgspec.structs.replace(
            group, feed_forward=msgspec.structs.replace(group.feed_forward, **fields)
        )
        if hasattr(group.feed_forward, "n_routed_experts")
        else group
        for group in V3.groups
    ]
    return msgspec.structs.replace(V3, groups=groups)


def test_every_line_follows_by_its_rule():
    for line in count(compute_seconds=0.001).walk():
        assert line.evaluate() == line.value


@pytest.mark.parametrize("forwarding", FORWARDINGS)
@pytest.mark.parametrize("shared", ["local", "routed"])
def test_dispatch_and_combine_send_as_many_copies(forwarding, shared):
    """Combine goes back the way that dispatch came, so bytes are in the ratio of the formats."""
    found = count(layout(shared_experts=shared), exchange=Exchange(forwarding=forwarding))
    for link in LINKS:
        copies = found[f"traffic.copies_on_link.{link}"]
        for phase, each in (("dispatch", 7392), ("combine", 14336)):
            for way in ("", "backward."):
                sent = found[f"traffic.{way}{phase}.{link}_bytes_per_token"]
                assert sent == pytest.approx(copies * each, rel=1e-14)


@pytest.mark.parametrize("forwarding", ["per-gpu", "node-limited"])
def test_what_is_sent_is_received(forwarding):
    """Each distinct remote GPU receives one copy, over the one link or the other."""
    found = count(exchange=Exchange(forwarding=forwarding))
    sent = sum(found[f"traffic.copies_on_link.{link}"] for link in LINKS)
    received = found["traffic.remote_copies_per_token.gpu"]
    if forwarding == "per-gpu":
        assert sent == pytest.approx(received)
    else:
        # a copy that lands on a GPU that does not need it is handed on, and received twice
        nodes = found["traffic.remote_copies_per_token.node"]
        direct = found["traffic.copies_per_token.gpu"] / 8 * 7 / 8  # landed where it is needed
        assert sent == pytest.approx(received + nodes - direct)


def test_v3s_rule_sends_less_over_the_network_than_without_forwarding():
    loads = [
        count(exchange=Exchange(forwarding=way))["traffic.dispatch.scale_out_bytes_per_token"]
        for way in FORWARDINGS
    ]
    assert loads == sorted(loads)
    assert loads[0] < 4 * 7392  # at most four nodes


def test_one_gpu_sends_nothing():
    found = count(layout(ep=1))
    for name, line in found.named().items():
        if "_bytes" in name and "copy" not in name and name.startswith("traffic."):
            assert line.value == 0, name
    exchange = Exchange(scale_up_latency=1.0, scale_out_latency=1.0)
    assert count(layout(ep=1), exchange=exchange)["traffic.time_per_layer"] == 0


@pytest.mark.parametrize("forwarding", FORWARDINGS)
def test_one_node_uses_no_scale_out(forwarding):
    exchange = Exchange(forwarding=forwarding, scale_out_latency=1.0)
    found = count(layout(ep=8), exchange=exchange)
    assert found["traffic.step.scale_out_bytes"] == 0
    assert found["traffic.dispatch.scale_out_time"] == 0
    assert found["traffic.step.scale_up_bytes"] > 0


def test_the_step_counts_every_pass_layer_and_micro_batch():
    """By hand: 120 micro-batches of 4,096 tokens, 58 of 61 layers on 16 stages, four exchanges."""
    found = count()
    copies = found["traffic.remote_copies_per_token.node"]
    expected = copies * 2 * (7392 + 14336) * 4096 * 120 * 58 / 16
    assert found["traffic.step.scale_out_bytes"] == pytest.approx(expected, rel=1e-13)
    with_mtp = count(with_mtp=True)["traffic.step.scale_out_bytes"]
    assert with_mtp == pytest.approx(expected * 59 / 58)


def test_a_layout_for_inference_has_no_step():
    found = count(layout(global_batch=None))
    assert "traffic.step.scale_out_bytes" not in found.named()
    once = found["traffic.micro_batch.scale_out_bytes"]
    assert 2 * once == pytest.approx(count()["traffic.micro_batch.scale_out_bytes"])


@pytest.mark.parametrize("link", LINKS)
def test_more_tokens_experts_and_nodes_send_more(link):
    name = f"traffic.layer.{link}_bytes"
    tokens = [count(tokens=number)[name] for number in (1, 64, 4096)]
    nodes = [count(layout(ep=ep))[name] for ep in (8, 16, 32, 64)]
    experts = [count(model=with_moe(num_experts_per_tok=k))[name] for k in (2, 4, 8, 16)]
    for values in (tokens, experts, *([nodes] if link == "scale_out" else [])):
        assert values == sorted(set(values))


def test_tensor_parallel_gpus_share_the_tokens():
    whole = count()["traffic.layer.scale_out_bytes"]
    assert 4 * count(layout(tp=4, dp=32))["traffic.layer.scale_out_bytes"] == whole


def test_a_rank_order_that_scatters_the_group_uses_the_network_alone():
    order = ["tp", "cp", "dp", "ep", "pp"]  # eight replicas of the experts stand side by side
    found = count(layout(ep=16, rank_order=order))
    assert found["traffic.group.ranks_per_node"] == 1
    assert found["traffic.copies_on_link.scale_up"] == 0
    with pytest.raises(UsageError, match="does not fill"):
        count(layout(ep=12, dp=12))


def test_achieved_bandwidth_takes_longer_and_imbalance_stretches():
    found = count()
    assert found["traffic.achieved.time_per_layer"] == pytest.approx(
        found["traffic.time_per_layer"] * 50 / 40
    )
    stretched = count(exchange=Exchange(imbalance=1.5))["traffic.time_per_layer"]
    assert stretched == pytest.approx(1.5 * found["traffic.time_per_layer"])
    assert count(exchange=Exchange(imbalance=1.5))["traffic.step.scale_out_bytes"] == pytest.approx(
        found["traffic.step.scale_out_bytes"]
    )


def test_latency_is_waited_for_once_in_each_phase():
    slow = count(exchange=Exchange(scale_out_latency=1e-3))["traffic.time_per_layer"]
    assert slow == pytest.approx(count()["traffic.time_per_layer"] + 2e-3)


def test_a_ninth_routed_expert():
    local, routed = count(), count(layout(shared_experts="routed"))
    assert routed["traffic.copies_per_token.expert"] == 9
    for kind, places in (("gpu", 64), ("node", 8)):
        name = f"traffic.copies_per_token.{kind}"
        assert routed[name] == pytest.approx(local[name] + 1 - local[name] / places)
        remote = f"traffic.remote_copies_per_token.{kind}"
        assert routed[remote] == pytest.approx(routed[name] * (1 - 1 / places))


@pytest.mark.parametrize("name", FORMATS)
def test_formats_and_scales(name):
    form = FORMATS[name]
    bare = form.without_scales()
    sent = [
        count(exchange=Exchange(dispatch=each))["traffic.dispatch.copy_bytes"]
        for each in (form, bare)
    ]
    assert sent[1] == 7168 * form.bits / 8
    assert sent[0] - sent[1] == 7168 / form.group_size * form.scale_bits / 8


def test_arrays_go_through():
    tokens = np.array([1.0, 64.0, 4096.0])
    many = count(tokens=tokens, exchange=Exchange(imbalance=np.array([1.0, 2.0, 3.0])))
    for index, (number, factor) in enumerate(((1, 1), (64, 2), (4096, 3))):
        one = count(tokens=number, exchange=Exchange(imbalance=factor))
        for name in ("traffic.step.scale_out_bytes", "traffic.time_per_layer"):
            assert many[name][index] == pytest.approx(one[name], rel=1e-13)


def test_symbols_go_through():
    tokens, stages, latency = sympy.symbols("T P l", positive=True)
    whole = count(layout(pp=stages), tokens=tokens, exchange=Exchange(scale_out_latency=latency))
    step = whole["traffic.step.scale_out_bytes"]
    assert step.free_symbols == {tokens, stages}
    at = float(step.subs({tokens: 4096, stages: 16}))
    assert at == pytest.approx(count()["traffic.step.scale_out_bytes"])
    time = whole["traffic.time_per_layer"]
    assert time.free_symbols == {tokens, latency}


def test_the_limit_takes_arrays_and_symbols():
    batch = np.array([8.0, 32.0])
    many = Ledger("", limit_lines("limits.ep", V3, H800, Limit(tokens=batch), "isca25"))
    assert many["limits.ep.all_to_all_time"][1] == 0.00012096
    tokens = sympy.Symbol("T", positive=True)
    tpot = Ledger("", limit_lines("limits.ep", V3, H800, Limit(tokens=tokens), "isca25"))[
        "limits.ep.tpot"
    ]
    assert float(tpot.subs(tokens, 32)) == pytest.approx(0.01475712)


def test_the_limit_as_configured_by_hand():
    limit = Limit(tokens=32, latency=3.7e-6)
    found = Ledger("", limit_lines("limits.ep", V3, H800, limit, "as-configured"))
    exchange = 32 * 9 * (7392 + 14336) / 50e9 + 2 * 3.7e-6
    assert found["limits.ep.all_to_all_time"] == pytest.approx(exchange)
    assert found["limits.ep.tpot"] == pytest.approx(58 * 2 * exchange)


@pytest.mark.parametrize(
    ("ep", "redundant", "tokens", "draws"), [(64, 0, 128, 25), (32, 32, 16, 120), (8, 0, 2, 120)]
)
def test_the_load_of_experts_against_draws(ep, redundant, tokens, draws):
    """Route the tokens of a whole group at random to slots, and look at the experts and GPUs."""
    where = layout(ep=ep, dp=ep, pp=1, global_batch=None, redundant_experts=redundant)
    found = count(where, tokens=tokens, exchange=Exchange(policy="unrestricted"))
    rng = np.random.default_rng(11)
    slots = 256 + redundant
    fullest, per_gpu, experts = [], [], []
    for _ in range(draws):
        taken = np.argpartition(rng.random((ep * tokens, slots)), 8, axis=1)[:, :8]
        loads = np.bincount(taken.ravel(), minlength=slots).reshape(ep, -1)
        fullest.append(loads.sum(1).max() / loads.sum(1).mean())
        per_gpu.append((loads > 0).sum(1).mean())
        chosen = np.argpartition(rng.random((ep * tokens, 256)), 8, axis=1)[:, :8]
        experts.append(len(np.unique(chosen)))
    assert found["traffic.random_routing.imbalance"] == pytest.approx(np.mean(fullest), rel=0.04)
    assert found["traffic.distinct_experts_per_gpu"] == pytest.approx(np.mean(per_gpu), rel=0.01)
    assert found["traffic.distinct_experts"] == pytest.approx(np.mean(experts), rel=0.01)
    assert found["traffic.group_tokens"] == ep * tokens
    assert found["traffic.tokens_per_expert"] == ep * tokens * 8 / 256


def test_the_load_of_the_published_decode_profile():
    """DeepSeek's profile of decoding: EP128, 128 requests a GPU, so 512 tokens for an expert."""
    found = count(layout(ep=128, global_batch=None), tokens=128)
    assert found["traffic.tokens_per_expert"] == 512


def test_one_gpu_is_as_full_as_the_mean():
    assert count(layout(ep=1))["traffic.random_routing.imbalance"] == 1
    assert count(exchange=Exchange(imbalance=1.25))["traffic.imbalance"] == 1.25


NAMES = (
    "traffic.copies_per_token.node", "traffic.copies_per_token.gpu", "traffic.time_per_layer",
    "traffic.achieved.time_per_layer", "traffic.step.scale_out_bytes", "traffic.hidden_share",
    "traffic.random_routing.imbalance", "traffic.distinct_experts_per_gpu",
)  # fmt: skip


@pytest.mark.parametrize("forwarding", FORWARDINGS)
@pytest.mark.parametrize("policy", ["group-limited", "random-groups", "unrestricted"])
def test_arrays_of_expert_parallelism_give_what_integers_give(policy, forwarding):
    """A column of layouts at once: EP, pipeline and replicas vary together."""
    drawn = [(8, 4, 64), (16, 16, 128), (32, 8, 64), (64, 16, 128), (128, 1, 256), (256, 2, 256)]
    ep, pp, dp = (np.array(column, dtype=float) for column in zip(*drawn, strict=True))
    exchange = Exchange(policy=policy, forwarding=forwarding, scale_out_latency=1e-6)
    many = count(layout(ep=ep, pp=pp, dp=dp), exchange=exchange, compute_seconds=1e-3)
    for row, (one, stages, replicas) in enumerate(drawn):
        alone = count(
            layout(ep=one, pp=stages, dp=replicas), exchange=exchange, compute_seconds=1e-3
        )
        for name in NAMES:
            value = np.broadcast_to(many[name], len(drawn))[row]
            assert value == pytest.approx(alone[name], rel=1e-12), (name, one)


@pytest.mark.parametrize("policy", ["random-groups", "unrestricted"])
def test_symbols_of_expert_parallelism_give_what_integers_give(policy):
    ep, stages, replicas = sympy.symbols("P_e P_p P_d", positive=True, integer=True)
    exchange = Exchange(policy=policy)
    closed = count(layout(ep=ep, pp=stages, dp=replicas), exchange=exchange)
    assert closed["traffic.step.scale_out_bytes"].free_symbols == {ep, stages, replicas}
    # of random groups a symbol's destinations lie inside one: no fewer nodes than groups
    for one in (8, 16, 32, 64, 128, 256) if policy == "unrestricted" else (64, 128, 256):
        exact = count(layout(ep=one, pp=16, dp=256), exchange=exchange)
        for name in NAMES[:5]:
            value = sympy.sympify(closed[name]).subs({ep: one, stages: 16, replicas: 256})
            assert float(value) == pytest.approx(exact[name], rel=1e-9), (name, one)


def test_a_rule_without_a_closed_form_takes_no_symbol():
    with pytest.raises(UsageError, match="no closed form"):
        count(layout(ep=sympy.Symbol("P_e", positive=True)))


def two_kinds(**fields):
    """Divide the layers with experts into two groups, the second with other fields."""
    dense, moe = V3.groups
    other = msgspec.structs.replace(moe.feed_forward, **fields)
    groups = [
        dense,
        msgspec.structs.replace(moe, layers="3:30"),
        msgspec.structs.replace(moe, layers="30:", feed_forward=other),
    ]
    return msgspec.structs.replace(V3, groups=groups)


def test_layers_whose_experts_differ_are_refused_by_name():
    mixed = two_kinds(num_experts_per_tok=4)
    with pytest.raises(UsageError, match=r"num_experts_per_tok is 8 in groups.1, 4 in") as caught:
        count(model=mixed)
    assert "--set" in caught.value.hint
    with pytest.raises(UsageError, match="num_experts_per_tok"):
        limit_lines("limits.ep", mixed, H800, Limit(tokens=32), "isca25")


def test_layers_whose_experts_differ_in_width_alone_send_alike():
    narrow = count(model=two_kinds(moe_intermediate_size=1024))
    name = "traffic.step.scale_out_bytes"
    assert narrow[name] == pytest.approx(count()[name], rel=1e-14)


def test_an_unmeasured_link_that_carries_nothing_hides_no_time():
    unmeasured = msgspec.structs.replace(
        H800, scale_out=msgspec.structs.replace(H800.scale_out, achieved=None)
    )
    name = "traffic.achieved.time_per_layer"
    inside = count(layout(ep=8), hardware=unmeasured)
    assert inside[name] == count(layout(ep=8))[name]
    assert name not in count(hardware=unmeasured).named()


def stages_of(found):
    """Return the layers with experts of each stage, as the lines have them."""
    return [
        line.value
        for name, line in found.named().items()
        if name.startswith("traffic.stage.") and name.endswith(".moe_layers")
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        # the first three of 61 layers are dense; thirteen stages of four layers, then three of 3
        ({}, [1] + 12 * [4] + 3 * [3]),
        ({"layer_split": [4] * 15 + [1]}, [1] + 14 * [4] + [1]),
        ({"layer_split": [61] + [0] * 15}, [58] + [0] * 15),
        ({"layer_split": [2] * 15 + [31]}, [0, 1] + 13 * [2] + [31]),
        # embedding and head count as layers: 63 over 16, fifteen stages of four and one of three
        ({"layer_split": "balanced"}, [0] + 14 * [4] + [2]),
    ],
)
def test_a_stage_sends_what_its_layers_send(fields, expected):
    found = count(layout(schedule="1f1b", **fields))
    assert stages_of(found) == expected
    one_layer = 2 * (7392 + 14336) * 4096 * found["traffic.remote_copies_per_token.node"]
    for stage, layers in enumerate(expected):
        name = f"traffic.stage.{stage}.micro_batch.scale_out_bytes"
        assert found[name] == pytest.approx(layers * one_layer, rel=1e-13)
    busiest = found["traffic.busiest.micro_batch.scale_out_bytes"]
    assert busiest == pytest.approx(max(expected) * one_layer, rel=1e-13)
    assert found["traffic.busiest.step.scale_out_bytes"] == pytest.approx(120 * busiest)
    mean = found["traffic.micro_batch.scale_out_bytes"]
    assert mean == pytest.approx(one_layer * 58 / 16, rel=1e-13)  # whatever the split


def test_the_busiest_rank_of_schedules_that_hold_several_stages():
    """A micro-batch passes every chunk of a rank, but only one of DualPipe's two stages."""
    split = [2] * 8 + [5] * 7 + [10]  # layers with experts: 0, 1, 2 ..., 5 ..., 10
    looped = layout(pp=8, schedule="interleaved", virtual_pipeline=2, layer_split=split)
    assert count(looped)["traffic.busiest.moe_layers"] == 2 + 10
    folded = layout(pp=8, schedule="zbv", layer_split=split)
    assert count(folded)["traffic.busiest.moe_layers"] == 0 + 10
    paired = layout(pp=16, schedule="dualpipe", layer_split=split)
    assert count(paired)["traffic.busiest.moe_layers"] == (0 + 10) / 2


def test_one_stage_has_no_lines_of_stages():
    names = count(layout(pp=1)).named()
    assert not any(name.startswith(("traffic.stage.", "traffic.busiest.")) for name in names)


def test_mtp_stands_on_the_last_stage():
    assert stages_of(count(with_mtp=True)) == [1] + 12 * [4] + [3, 3, 4]


@pytest.mark.parametrize("options", ["", "--layer-split 4*15,1", "--layout v3-bridge-h100"])
def test_the_stages_are_those_of_memory(options):
    import dsv3calc

    layout_ = options if "--layout" in options else f"--pp 16 --dp 64 --ep 64 {options}"
    query = f"deepseek-v3 --hardware h100 {layout_}"
    held, sent = (
        dsv3calc.answer(f"{command} {query}").columns[0].ledger.named()
        for command in ("memory", "traffic")
    )
    for stage in range(16):
        here = held[f"memory.rank.{stage}.chunk.0.layers.groups.1"].value
        assert sent[f"traffic.stage.{stage}.moe_layers"].value == here
