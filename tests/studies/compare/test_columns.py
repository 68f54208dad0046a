"""Columns of compare that differ in model, layout, device, precision and KV format.

Each is held to the answer of the query that it stands for.
"""

# SPDX-License-Identifier: Apache-2.0
import pytest

import dsv3calc
from dsv3calc.errors import UsageError
from dsv3calc.studies.compare.instance import LINES


def columns(query):
    return {column.id: column for column in dsv3calc.answer(query).columns}


def same(column, query, section):
    """Tell that a column has the lines of a query, and which."""
    alone = dsv3calc.query(query).named()
    ledger = column.ledger.named()
    names = [name for name in LINES[section] if name in alone]
    assert names
    for name in names:
        assert ledger[name].value == alone[name].value, name
    return names


@pytest.mark.parametrize("ep", [8, 64])
@pytest.mark.parametrize("section", ["memory", "traffic"])
def test_layouts_stand_side_by_side(ep, section):
    found = columns("compare deepseek-v3:ep=8 deepseek-v3:ep=64 --serve --hardware h200")
    names = same(
        found[f"deepseek-v3:ep={ep}"], f"{section} deepseek-v3 --ep {ep} --serve --hardware h200",
        section,
    )  # fmt: skip
    ratio = f"ratio_to_baseline.{names[0]}"
    assert (ratio in found["deepseek-v3:ep=64"].ledger.named()) or section == "memory"


@pytest.mark.parametrize("device", ["h800", "h20", "h200"])
def test_devices_stand_side_by_side(device):
    found = columns(
        "compare deepseek-v3:hardware=h800 deepseek-v3:hardware=h20 deepseek-v3:hardware=h200 "
        "--layout v3-pretrain"
    )
    column = found[f"deepseek-v3:hardware={device}"]
    for section in ("memory", "traffic"):
        query = f"{section} deepseek-v3 --layout v3-pretrain --hardware {device}"
        same(column, query, section)
    alone = columns(f"compare deepseek-v3 --hardware {device}")["deepseek-v3"].ledger
    for name in ("roofline.decode.memory_time", "roofline.prefill.compute_time"):
        assert column.ledger[name] == alone[name]
    assert column.settings["hardware"] == device


def test_a_changed_design_is_what_memory_counts():
    (column,) = columns(
        "compare deepseek-v3:num_experts_per_tok=6,ep=64,batch=32 --serve --hardware h200"
    ).values()
    query = "memory deepseek-v3 --set num_experts_per_tok=6 --ep 64 --batch 32 --serve --hardware"
    same(column, f"{query} h200", "memory")


def test_a_change_of_architecture_is_what_memory_counts():
    """GQA with 8 heads of 128 keeps 2 x 2 x 8 x 128 bytes a token and layer; 61 layers."""
    (column,) = columns(
        "compare deepseek-v3:attention=gqa:8,ep=64,tp=1 --serve --hardware h200 --context 8192"
    ).values()
    assert column.ledger["serving.kv_bytes"] == 8192 * 61 * 2 * 2 * 8 * 128


def test_any_field_can_be_varied():
    base, fewer, faster = columns(
        "compare deepseek-v3 --hardware h800 --vary deepseek-v3:n_group=4,vocab_size=1000 "
        "--vary deepseek-v3:hardware.memory.bandwidth=6.7TB/s"
    ).values()
    assert fewer.ledger["parameters.components.embedding"] == 1000 * 7168
    ratio = base.ledger["roofline.decode.memory_time"]
    assert ratio == pytest.approx(2 * faster.ledger["roofline.decode.memory_time"])
    assert base.ledger["parameters.total"] == faster.ledger["parameters.total"]


def test_formats_and_work_of_one_column_alone():
    plain, fp8, long = columns(
        "compare deepseek-v3 deepseek-v3:kv_dtype=fp8 deepseek-v3:context=128Ki --rows kv_cache"
    ).values()
    of_one = [each.ledger["kv_cache.bytes_per_token"] for each in (plain, fp8, long)]
    assert of_one[0] == 2 * of_one[1] == of_one[2]
    sequence = "kv_cache.bytes_per_sequence"
    assert long.ledger[sequence] == 32 * plain.ledger[sequence]
    assert [each.settings["kv_dtype"] for each in (plain, fp8, long)] == ["bf16", "fp8", "bf16"]


def test_a_bundle_counts_every_column():
    found = dsv3calc.answer(
        "compare deepseek-v3 llama-3.1-8b --as transformers --rows flops,kv_cache"
    )
    for column in found.columns:
        alone = dsv3calc.query(f"flops {column.id} --as transformers")
        assert column.ledger["flops.train.per_token"] == alone["flops.per_token"]
    gemma = dsv3calc.query("compare gemma-3-27b --as transformers --rows kv_cache --context 8192")
    alone = dsv3calc.query("kv gemma-3-27b --as transformers --context 8192")
    assert gemma["kv_cache.bytes"] == alone["kv_cache.bytes"]


def test_a_layout_shows_memory_and_traffic_and_nothing_else_does():
    sections = {"memory", "traffic", "serving"}
    for query, shown in (
        ("compare deepseek-v3 --hardware h800", set()),
        ("compare deepseek-v3 --hardware h800 --layout v3-pretrain", {"memory", "traffic"}),
        ("compare deepseek-v3:ep=64 --hardware h800 --serve --rows memory", {"serving"}),
    ):
        ledger = dsv3calc.answer(query).columns[0].ledger
        assert {line.name.partition(".")[0] for line in ledger.lines} & sections == shown


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("deepseek-v3:ep=64", "needs a device"),
        ("deepseek-v3:ep=7 --hardware h800", "deepseek-v3:ep=7: "),
        ("deepseek-v3:ep=many --hardware h800", "ep"),
        (
            "deepseek-v3:ep=64 --rows kv_cache --hardware h800",
            "nothing that is shown depends on ep",
        ),
        ("deepseek-v3:recompute=full --rows traffic --hardware h800", "depends on recompute"),
        ("deepseek-v3:hardware.memory.usable=1", "uses no hardware"),
        ("deepseek-v3:recipe.moments.bits=8 --rows kv_cache", "uses no recipe"),
        ("deepseek-v3:kv_dtyp=fp8", "no field 'kv_dtyp'"),
        ("deepseek-v3:rows=memory", "no field 'rows'"),
        ("deepseek-v3:ep=8,ep=8", "ep is changed twice"),
    ],
)
def test_what_cannot_be_is_refused(query, words):
    with pytest.raises(UsageError) as caught:
        dsv3calc.answer(f"compare {query}")
    assert words in f"{caught.value.message}; {caught.value.hint}"


def test_names_of_memory_and_traffic_are_their_own():
    """A ledger publishes one line for a name: those of sections must not meet."""
    query = "compare deepseek-v3 --layout v3-pretrain --hardware h800 --rows"
    published = [
        {*next(iter(columns(f"{query} {section}").values())).ledger.named()}
        for section in ("parameters,weights,flops,kv_cache,roofline", "memory", "traffic")
    ]
    for one, two in ((0, 1), (0, 2), (1, 2)):
        assert not published[one] & published[two]


TRAINED = "v3-pretrain --hardware h800"


def test_a_training_step_of_each_column():
    found = columns(
        "compare deepseek-v3:setup=deepseek-dualpipe deepseek-v3:train.precision=bf16 "
        f"--layout {TRAINED} --rows train"
    )
    asked = {
        "deepseek-v3:setup=deepseek-dualpipe": " --setup deepseek-dualpipe",
        "deepseek-v3:train.precision=bf16": " --precision bf16",
    }
    for title, more in asked.items():
        same(found[title], f"train deepseek-v3 --layout {TRAINED}{more}", "train")
    base = found["deepseek-v3:setup=deepseek-dualpipe"].ledger
    assert base["train.step.estimate"] > base["train.step.floor"]


def test_a_section_has_options_of_its_own():
    """Training and serving of one design, each on its own layout."""
    (column,) = columns(
        "compare deepseek-v3:train.layout=v3-pretrain,serve.layout=day6-decode-ep144 "
        "--hardware h800 --rows train,serve"
    ).values()
    same(column, f"train deepseek-v3 --layout {TRAINED}", "train")
    assert column.settings["layout"] == "train v3-pretrain, serve day6-decode-ep144"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("deepseek-v3:train.precison=bf16 --rows train", "train.precision"),
        ("deepseek-v3:train.layout=v3-pretrain --rows memory", "add train to --rows"),
        ("deepseek-v3:imbalance=2 --rows parameters", "or train or serve to --rows"),
        ("deepseek-v3:dp=8 --rows train", "--global-batch"),
    ],
)
def test_wrong_options_of_a_section(options, words):
    with pytest.raises(UsageError) as caught:
        dsv3calc.answer(f"compare {options} --hardware h800")
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_what_the_choices_of_deepseek_v3_are_worth():
    """2,048 GPUs train each; hidden and node-limited exchanges shorten a step. 50 ms are served."""
    found = columns("compare hardware-aware-codesign")
    steps, rates = {}, {}
    for title, column in found.items():
        values = column.ledger
        assert values["train.gpus"] == 2048, title
        assert values["train.memory.fits"] == (title != "GQA of 8 heads"), title
        assert values["serve.fits"], title
        assert values["serve.tpot.estimate"] <= 0.05, title
        steps[title] = values["train.step.estimate"]
        rates[title] = values["serve.tokens_per_second_per_gpu.decode"]
    trained, shown = steps["DeepSeek-V3"], steps["EP not hidden"]
    assert trained < steps["EP not hidden, 72 GPUs on NVLink"] < shown
    assert shown < steps["EP not hidden, experts of any node"]
    assert shown < steps["EP not hidden, network 2 to 1"]
    assert trained < steps["in BF16"]
    dense, sparse = found["Llama 3.1 405B"].ledger, found["DeepSeek-V3"].ledger
    active = dense["parameters.active"] / sparse["parameters.active"]
    assert 0.6 * active < steps["Llama 3.1 405B"] / trained < active
    assert rates["in BF16"] < rates["DeepSeek-V3"] < rates["with MTP"]
    assert rates["with MTP"] < rates["EP not hidden, 72 GPUs on NVLink"]
    assert rates["EP not hidden, network 2 to 1"] < rates["DeepSeek-V3"]
    assert rates["Llama 3.1 405B"] < rates["Llama 3.1 405B, FP8"] < rates["dense, same work"]
