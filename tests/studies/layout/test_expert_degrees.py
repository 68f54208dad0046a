"""The default of etp, in memory, traffic and closed forms alike."""

import pytest

import dsv3calc
from dsv3calc.errors import UsageError

GIB = 2**30
MIXTRAL = "mixtral-8x7b --hardware h100"
V3 = "deepseek-v3 --hardware h200"


def values(query):
    return dsv3calc.answer(query).columns[0].ledger.values


def etp_of(query):
    """Return the etp that an answer says it took."""
    answer = dsv3calc.answer(query)
    told = [text for text in answer.assumptions if text.startswith("etp is ")]
    assert len(told) <= 1
    return int(told[0].split()[2].rstrip(",")) if told else None


@pytest.mark.parametrize(
    ("query", "gib"),
    [
        # 671 GB in FP8; attention, dense layers and the rest are divided over tp too
        (f"{V3} --tp 8", 79.29),
        # sgl-project/sglang issue 3344: R1 on 2 x 8 H100
        ("deepseek-v3 --hardware h100 --tp 16 --context 128Ki", 40.18),
        ("mixtral-8x7b --hardware a100-80g --tp 2", 43.50),
        (f"{MIXTRAL} --tp 8 --ep 4", 10.88),
    ],
)
def test_a_serving_instance_shares_its_experts(query, gib):
    found = values(f"memory {query} --serve")
    assert found["serving.weights"] / GIB == pytest.approx(gib, abs=0.01)
    assert found["serving.fits"] == 1


def test_mixtral_over_two_gpus_by_hand():
    """Every matrix but the router in two parts, BF16; norms are whole."""
    attention = 2 * 4096 * 4096 + 2 * 4096 * 1024
    experts = 8 * 3 * 4096 * 14336
    layer = (attention + experts) // 2 + 4096 * 8 + 2 * 4096
    elements = 32 * layer + 2 * 32000 * 4096 // 2 + 4096
    found = values(f"memory {MIXTRAL} --serve --tp 2")
    assert found["serving.weights"] == 2 * elements


def test_attention_replicas_share_the_experts_of_an_instance():
    """tp 2 x dp 4: attention over two GPUs, experts over eight, with any ep."""
    found = {
        ep: values(f"memory {MIXTRAL} --serve --tp 2 --dp 4 {ep}")["serving.weights"]
        for ep in ("", "--ep 1", "--ep 2", "--ep 8", "--ep 2 --etp 4")
    }
    assert len(set(found.values())) == 1
    attention = 2 * 4096 * 4096 + 2 * 4096 * 1024
    layer = attention // 2 + 8 * 3 * 4096 * 14336 // 8 + 4096 * 8 + 2 * 4096
    assert found[""] == 2 * (32 * layer + 2 * 32000 * 4096 // 2 + 4096)


@pytest.mark.parametrize(
    ("options", "etp"),
    [
        ("--tp 4 --dp 2", 4),
        ("--tp 4 --dp 2 --ep 1", 1),
        ("--tp 4 --dp 2 --ep 8", 1),
        ("--tp 4 --dp 2 --etp 2", None),
        ("--tp 4 --dp 2 --set layout.etp=2", None),
        ("--tp 4 --dp 2 --set layout.ep=8", 1),
        ("--layout dense-tp8", 8),
        ("--layout dense-tp8 --ep 4", 1),
        ("--dp 8", None),  # with tp 1 it can only be 1
    ],
)
@pytest.mark.parametrize("command", ["memory", "traffic"])
def test_training_takes_tp_where_ep_is_not_given(command, options, etp):
    assert etp_of(f"{command} {MIXTRAL} {options}") == etp


@pytest.mark.parametrize(
    ("options", "etp"),
    [
        ("--tp 4 --dp 2", 8),
        ("--tp 4 --dp 2 --ep 4", 2),
        ("--tp 4 --dp 2 --ep 8", 1),
        ("--tp 4 --dp 2 --ep 4 --etp 1", None),
        ("--layout dense-tp8 --ep 4", 2),
        ("--tp 1", None),
    ],
)
@pytest.mark.parametrize("command", ["memory", "traffic"])
def test_serving_takes_the_gpus_of_an_instance(command, options, etp):
    assert etp_of(f"{command} {MIXTRAL} --serve {options}") == etp


def test_experts_of_a_training_layout_are_divided_as_told():
    """Over tp 2: half of each expert on a GPU, as with ep 2, which divides their number."""
    shared = values(f"memory {MIXTRAL} --tp 2")["memory.worst.weights"]
    assert shared == values(f"memory {MIXTRAL} --tp 2 --etp 2")["memory.worst.weights"]
    assert shared == values(f"memory {MIXTRAL} --tp 2 --ep 2")["memory.worst.weights"]
    whole = values(f"memory {MIXTRAL} --tp 2 --ep 1")["memory.worst.weights"]
    assert whole - shared == 32 * 8 * 3 * 4096 * 14336  # bytes: half of the elements in BF16


def test_traffic_counts_the_collectives_of_the_default():
    """Experts divided over tp are gathered and scattered; whole ones are not."""
    ask = f"traffic {MIXTRAL} --tp 2 --dp 4 --global-batch 8"
    name = "traffic.collectives.expert_tensor_parallel.scale_up_bytes"
    assert values(ask)[name] == values(f"{ask} --etp 2")[name] > 0
    assert values(f"{ask} --ep 1")[name] == 0


@pytest.mark.parametrize("command", ["memory", "traffic"])
@pytest.mark.parametrize("cp", ["", "--cp 3"])
def test_where_the_instance_does_not_divide_the_answer_asks(command, cp):
    with pytest.raises(UsageError, match="tp 4 x dp 1 / ep 3, is not a whole number") as caught:
        dsv3calc.answer(f"{command} {MIXTRAL} --serve --tp 4 {cp} --dp 1 --ep 3")
    assert caught.value.hint.endswith("take --ep 2 or 4")


def test_an_expert_that_the_default_does_not_divide_is_refused_with_what_would():
    """DeepSeek-V2-Lite's experts are 1,408 wide: 128 x 11."""
    with pytest.raises(UsageError, match="does not divide among etp 512") as caught:
        dsv3calc.answer("memory deepseek-v2-lite --hardware h100 --serve --tp 8 --dp 64")
    assert "take --etp 128, or --ep 4" in caught.value.hint


def test_dense_models_have_no_etp():
    assert etp_of("memory llama-3.1-8b --hardware h100 --tp 8") is None
    assert etp_of("memory llama-3.1-8b --hardware h100 --tp 8 --serve") is None


def test_presets_that_state_it_keep_it():
    for layout in ("v3-prefill-ep32", "v3-decode-ep320", "day6-prefill-ep32", "day6-decode-ep144"):
        assert etp_of(f"memory {V3} --serve --layout {layout}") is None
    assert etp_of("memory deepseek-v3 --hardware h100 --layout v3-bridge-h100") is None


@pytest.mark.parametrize(
    ("query", "name", "tp"),
    [
        (f"memory {MIXTRAL} --tp 8", "memory.worst.weights", 2),
        (f"memory {MIXTRAL} --tp 8 --serve", "serving.weights", 2),
        (f"memory {MIXTRAL} --tp 8 --dp 2 --ep 4 --serve", "serving.weights", 4),
    ],
)
def test_a_closed_form_in_tp_moves_etp_too(query, name, tp):
    """The form is checked against the query at other values of tp, and says so."""
    from dsv3calc.cli import parse_request

    found = parse_request(
        ["formula", "derive", name, *query.split(), "--free", "tp", "--hold", "dp"]
    ).answer()
    assert any("the query gives the same at" in text for text in found.notes)
    plain = values(query.replace("--tp 8", f"--tp {tp}"))[name]
    assert plain != values(query)[name]
