import re

import pytest

from dsv3calc.exit_status import ExitStatus

PARTS = ("weights", "gradients", "optimizer", "activations", "buffers", "total")
ASK = ("memory", "deepseek-v3", "--hardware", "h800")
PRETRAIN = (*ASK, "--layout", "v3-pretrain")
DENSE = ("memory", "llama-3.1-8b", "--hardware", "h100")
STATES = PARTS[:3]
GIB = 2**30


def test_pretraining_fits_on_every_rank(program):
    values = program.json(*PRETRAIN).values
    assert values["memory.usable"] == 84_943_110_144
    for rank in range(16):
        found = [values[f"memory.rank.{rank}.{part}"] for part in PARTS]
        assert sum(found[:-1]) == found[-1] <= values["memory.usable"]
    totals = [values[f"memory.rank.{rank}.total"] for rank in range(16)]
    assert values["memory.worst.total"] == max(totals)
    worst = values["memory.worst.rank"]
    assert totals.index(max(totals)) == worst
    for part in PARTS:
        assert values[f"memory.worst.{part}"] == values[f"memory.rank.{worst}.{part}"]
    assert values["memory.fits"] == 1
    assert values["memory.free"] == values["memory.usable"] - max(totals)


def test_the_options_of_the_layout_are_the_layout(program):
    preset = program.json(*PRETRAIN).values
    options = (
        *("--tp", "1", "--pp", "16", "--ep", "64", "--dp", "128", "--zero", "1"),
        *("--schedule", "dualpipe", "--global-batch", "15360", "--recompute", "v3-recompute"),
        *("--precision", "fp8-deepseek-v3", "--seq", "4096", "--micro-batch", "1"),
    )
    assert program.json(*ASK, *options).values == preset


def test_assumptions_name_what_papers_leave_open(program):
    told = "\n".join(program.json(*PRETRAIN).data["assumptions"])
    for word in ("layer_split", "mirror_optimizer", "compute_copy", "E5M6", "driver_context",
                 "communication", "routing_weights", "imbalance"):  # fmt: skip
        assert word in told


def test_a_table_of_ranks(program):
    out = program.ok(*PRETRAIN).out
    assert "3-12 *" in out
    assert "fits                      yes" in out
    assert all(len(line) <= 80 for line in out.splitlines() if line.startswith(" "))


def test_a_rank_in_detail(program):
    out = program.ok(*PRETRAIN, "--rank", "0").out
    assert "stage 0 " in out
    assert "stage 15" in out
    assert "logits" in out
    assert "logits" not in program.ok(*PRETRAIN, "--rank", "1").out.partition("buffers")[2]
    out = program.ok("memory", "llama-3.1-8b", "--hardware", "h100", "--dp", "8", "--rank", "0").out
    at_peak, _, covered = out.partition("at a moment that takes less in all")
    assert "logits" in at_peak
    assert "layer at work" not in at_peak
    assert "layer at work" in covered


def test_by_tensor_every_tensor_has_count_width_and_divisor(program):
    out = program.ok(*PRETRAIN, "--by", "tensor", "--rank", "3").out
    row = next(line for line in out.splitlines() if "routed gate_proj" in line)
    assert row.split()[2:] == ["3.7581", "B", "64", "2", "112", "MiB", "224", "MiB", "224", "MiB"]
    assert "groups.0" not in out  # rank 3 has no dense layer
    assert "tensors of a GPU of pipeline rank 3" in out
    for word in (" embedding ", " head ", "final"):
        assert word not in out.partition("note:")[0]
    assert "recomputed" in out
    exact = program.ok(*PRETRAIN, "--by", "tensor", "--exact").out
    assert "117,440,512 B" in exact


def test_require_fit_tells_by_the_exit_status(program):
    assert program(*PRETRAIN, "--require-fit").status == ExitStatus.OK
    short = program(*PRETRAIN, "--recompute", "none", "--require-fit")
    assert short.status == ExitStatus.CHECK_FAILED
    assert "over by" in short.out
    assert program(*PRETRAIN, "--recompute", "none").status == ExitStatus.OK


def test_unknown_usable_bytes_are_not_guessed(program):
    unknown = ("--set", "hardware.memory.usable=null")
    found = program.json(*PRETRAIN, *unknown)
    assert "memory.fits" not in found.values
    assert any("usable" in text for text in found.data["warnings"])
    refused = program.refused(ExitStatus.USAGE, *PRETRAIN, *unknown, "--require-fit")
    assert "usable=79GiB" in refused.err


def test_megatron_prints_its_figures_beside_ours(program):
    values = program.json(*PRETRAIN, "--as", "megatron").values
    states = sum(values[f"megatron.{part}"] for part in STATES)
    assert states == 19_123_486_218
    # tp is 1: Megatron-LM turns sequence parallelism off
    assert values["megatron.activations"] == 64_431_351_398.4
    assert values["megatron.total"] == values["megatron.without_sp.total"] == 83_554_837_616.4
    assert values["megatron.with_sp.activations"] == 51_129_090_048
    assert values["megatron.with_sp.total"] == 70_252_576_266
    for part in PARTS:
        theirs = values.get(f"megatron.{part}", 0)
        difference = values[f"megatron.difference.{part}"]
        assert values[f"memory.worst.{part}"] - theirs == difference
    out = program.ok(*PRETRAIN, "--as", "megatron").out
    assert re.search(r"total +\S+ GiB +77.82 GiB", out)
    assert re.search(r"total, with SP +65.43 GiB", out)


def test_megatron_with_mtp(program):
    values = program.json(*PRETRAIN, "--as", "megatron", "--with-mtp").values
    assert values["megatron.total"] / GIB == pytest.approx(81.1076, abs=5e-5)
    assert values["megatron.with_sp.total"] / GIB == pytest.approx(68.7189, abs=5e-5)


SELECTIVE = ("--sequence-parallel", "--recompute", "selective")

# what megatron/training/theoretical_memory_usage.py of NVIDIA/Megatron-LM at d98e8a64 returns:
# weights, gradients and optimizer states; activations with sequence parallelism, and without
MEGATRON = {
    "mixtral-8x7b --tp 2 --dp 8 --ep 4 --etp 1": (217_399_762_944, 8_894_038_016, 12_592_226_304),
    "llama-3.1-8b --tp 2": (72_274_747_392, 9_682_567_168, 13_006_204_108.8),
    "qwen2.5-72b --tp 8": (163_626_762_240, 11_217_670_144, 36_911_220_326.4),  # biases of q, k, v
    "qwen2.5-72b --tp 8 --dp 8 --zero 1": (68_177_817_600, 11_217_670_144, 36_911_220_326.4),
    "qwen3-32b --tp 4": (147_444_295_680, 13_399_760_896, 22_941_671_424),  # norms of q and k
    "qwen3-32b --tp 1": (589_717_923_840, 53_596_946_432, 49_288_716_288),
    "gpt-oss-120b --tp 4 --dp 2 --ep 1 --etp 4": (525_736_116_864, 3_174_637_568, 7_604_399_308.8),
    "llama-3.1-405b --layout llama-3.1-405b-pretrain": (
        21_052_126_656, 73_511_353_344, 260_413_087_334.4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("asked", MEGATRON)
def test_megatron_to_the_byte(program, asked):
    states, with_sp, without_sp = MEGATRON[asked]
    values = program.json("memory", *asked.split(), "--hardware", "h800", "--as", "megatron").values
    assert states == sum(values[f"megatron.{part}"] for part in STATES)
    assert values["megatron.with_sp.activations"] == with_sp
    assert values["megatron.without_sp.activations"] == pytest.approx(without_sp, rel=1e-14)
    assert values["megatron.activations"] == values["megatron.without_sp.activations"]
    assert values["megatron.with_sp.total"] == states + with_sp


@pytest.mark.parametrize(
    ("more", "form"),
    [
        (SELECTIVE, "with_sp"),
        (("--sequence-parallel", "--recompute", "full"), "without_sp"),
        (("--sequence-parallel",), "without_sp"),
        (("--recompute", "selective"), "without_sp"),
    ],
)
def test_megatron_chooses_its_formula_by_sequence_parallelism_and_recomputation(
    program, more, form
):
    ask = ("memory", "llama-3.1-8b", "--hardware", "h100", "--tp", "2", "--as", "megatron", *more)
    values = program.json(*ask).values
    assert values["megatron.activations"] == values[f"megatron.{form}.activations"]
    assert values["megatron.total"] == values[f"megatron.{form}.total"]


def test_a_paper_fixes_its_own_conventions(program):
    asked = ("--as", "mem-2502.07846", "--tp", "2", "--pp", "16", "--ep", "8", "--dp", "32")
    refused = program.refused(ExitStatus.USAGE, *ASK, *asked, "--recipe", "megatron-bf16")
    assert "recipe=bf16-moments" in refused.err
    same = program.json(*ASK, *asked, "--recipe", "bf16-moments")
    assert same.values == program.json(*ASK, *asked).values


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--layout"),
        (["--ep", "48"], "--ep 32 or 64, or --redundant-experts 32"),
        (["--ep", "64", "--pp", "70"], "take --pp 61"),
        (["--tp", "3"], "--tp 2 or 4"),
        (["--ep", "8", "--etp", "3", "--tp", "3"], "change --tp and --etp"),
        (["--layout", "v3-pretrain", "--pp", "15"], "DualPipe pairs stages"),
        (["--layout", "v3-pretrain", "--global-batch", "1920"], "take 32 or more"),
        (["--layout", "v3-pretrain", "--global-batch", "4224"], "take 32 or 34"),
        (["--layout", "v3-pretrain", "--layer-split", "4,4"], "lists 2 stages, but pp is 16"),
        (["--tp", "8", "--layer-split", "4*15,1"], "lists 16 stages, but pp is 1\n  try: --pp 16"),
        (["--layout", "v3-pretrain", "--layer-split", "4*16"], "64 layers, and deepseek-v3 has 61"),
        (["--layout", "v3-pretrain", "--layer-split", "many"], "4*15,1"),
        (["--layout", "v3-pretrain", "--schedule", "1f1b", "--mirror-optimizer"], "only DualPipe"),
        (["--layout", "v3-pretrain", "--schedule", "1f1b2"], "did you mean '1f1b'"),
        (["--layout", "v3-pretrain", "--schedule", "interleaved"], "virtual_pipeline"),
        (["--layout", "v3-pretrain", "--virtual-pipeline", "2"], "only interleaved takes it"),
        (["--pp", "4", "--schedule", "gpipe"], "--global-batch"),
        (["--layout", "v3-pretrain", "--recompute", "layrnorm"], "the module 'layernorm'"),
        (["--layout", "v3-pretrain", "--recompute", "layernorm,full"], "full cannot be combined"),
        (["--layout", "v3-pretrain", "--recompute", ""], "expected a policy or modules"),
        (
            ["--ep", "1", "--dp", "8", "--redundant-experts", "8"],
            "a GPU holds each expert at most once",
        ),
        (
            ["--tp", "4", "--dp", "16", "--ep", "64", "--shared-experts", "routed"],
            "routed shared one",
        ),
        (["--layout", "v3-pretrain", "--as", "megatron", "--rank", "0"], "fullest rank"),
        (["--layout", "v3-pretrain", "--as", "megatron", "--by", "tensor"], "fullest rank"),
        (["--layout", "v3-pretrain", "--dp", "64", "--set", "layout.dp=64"], "the same field"),
        (["--layout", "v3-pretrain", "--set", "kv_format.bits=8"], "--serve --kv-dtype"),
        (["--layout", "v3-pretrain", "--recompute", "nothing"], "presets list recompute"),
        (["--layout", "v3-pretrain", "--compute-copy", "fp8"], "bf16-and-stored"),
        (["--layout", "v3-pretrain", "--attention-kernel", "flahs"], "did you mean 'flash'"),
        (["--layout", "v3-pretrain", "--routing-weights", "never"], "before, after"),
        (["--layout", "v3-pretrain", "--rank", "16"], "from 0 to 15"),
        (["--layout", "v3-pretrain", "--by", "layer"], "class, tensor"),
        (["--layout", "v3-pretrain", "--imbalance", "0.5"], "from 1 to"),
        (["--layout", "v3-pretrain", "--zero", "4"], "from 0 to 3"),
        (["--layout", "v3-pretrain", "--as", "megatrn"], "did you mean 'megatron'"),
        (["--layout", "v3-pretrain", "--context", "9"], "only with --serve"),
        (["--layout", "v3-pretrain", "--serve", "--zero", "1"], "not with --serve"),
        (["--layout", "v3-pretrain", "--seq", "4097", "--cp", "2"], "4,098 tokens would divide"),
        (["--layout", "v3-pretrain", "--set", "recompute.formats.q=fp8"], "'q', which is unknown"),
        (["--layout", "v3-pretrain", "--set", "recompute.formats.queries=f8"], "mean 'fp8'"),
        (["--layout", "v3-pretrain", "--set", "layout.head_stage=16"], "head_stage 16 of 16"),
        (["--layout", "v3-pretrain", "--set", "network.planes=2"], "uses no network"),
    ],
)
def test_wrong_options(program, arguments, words):
    found = program(*ASK, *arguments)
    assert found.status in (ExitStatus.USAGE, ExitStatus.INVALID_INPUT)
    assert words in found.err
    assert "Traceback" not in found.err


def test_all_that_does_not_divide_is_told_at_once(program):
    err = program.refused(ExitStatus.USAGE, *ASK, "--tp", "3", "--pp", "70", "--ep", "3").err
    assert "70 pipeline stages" in err
    assert "128 attention heads" in err


def test_replicated_key_value_heads_are_said(program):
    found = program.json("memory", "llama-3.1-70b", "--hardware", "h100", "--tp", "16")
    assert "8 KV heads on tp 16: each KV head is replicated on 2 GPUs" in found.data["notes"]


def test_fewest_gpus(program):
    values = program.json(*PRETRAIN, "--fewest-gpus").values
    assert values["memory.fewest_gpus"] == 960  # v3-pretrain's own 64 GPUs for experts are free
    assert values["memory.fewest_gpus.total"] == values["memory.worst.total"]
    degrees = {axis: values[f"memory.fewest_gpus.{axis}"] for axis in ("dp", "pp", "ep")}
    options = [word for axis, degree in degrees.items() for word in (f"--{axis}", str(degree))]
    less = program.json(*PRETRAIN, *options, "--set", "layout.global_batch=null").values
    assert {name: values[name] for name in less} == less
    assert values["memory.given.gpus"] == 2048


def test_the_tables_of_the_fewest_gpus_are_one_layout(program):
    out = program.ok(*PRETRAIN, "--fewest-gpus", "--rank", "29").out
    assert "on the fewest GPUs, 960 (pp 30, dp 32, ep 16), h800" in out
    assert "the fewest GPUs of any dp, pp, ep up to 131,072 GPUs; fixed are tp 1, cp 1" in out
    assert "v3-pretrain itself" in out
    assert "fits: needs" in out
    beside = program.ok(*PRETRAIN, "--fewest-gpus", "--as", "megatron").out
    assert "pp 30, dp 32, ep 16" in beside
    own = program.ok(*PRETRAIN, "--fewest-gpus", "--by", "tensor").out
    assert "pp 30, dp 32, ep 16" in own
    beyond = program(*PRETRAIN, "--fewest-gpus", "--rank", "30")
    assert beyond.status == ExitStatus.USAGE
    assert "--rank" in beyond.err


def test_degrees_that_were_found_are_no_defaults(program):
    line = ("--line", "memory.rank.29.optimizer", "--depth", "9")
    out = program.ok("explain", *PRETRAIN, "--fewest-gpus", *line).out
    assert "layout.pp = 30  found by the search (--fewest-gpus)" in out
    given = ("--line", "memory.given.total")
    assert "v3-pretrain.total" in program.ok("explain", *PRETRAIN, "--fewest-gpus", *given).out


def test_the_mark_is_on_the_fullest_rank_of_the_fewest_gpus(program):
    found = program.json("memory", "kimi-k2", "--hardware", "h100", "--tp", "8", "--fewest-gpus")
    values = found.values
    totals = [
        values[f"memory.rank.{rank}.total"] for rank in range(values["memory.fewest_gpus.pp"])
    ]
    assert totals.index(max(totals)) == values["memory.worst.rank"]


def test_fewest_gpus_where_none_are_enough(program):
    tiny = ("--set", "hardware.memory.usable=2GiB")
    found = program(*DENSE, "--tp", "1", *tiny, "--fewest-gpus")
    assert found.status == ExitStatus.INFEASIBLE
    assert "fits on no layout" in found.err


def test_csv_and_markdown(program):
    assert "memory.worst.total,B," in program.ok(*PRETRAIN, "--format", "csv").out
    assert "| rank, GiB" in program.ok(*PRETRAIN, "--format", "markdown").out


@pytest.mark.parametrize("axis", ["tp", "pp", "dp"])
def test_one_gpu_has_no_buffers_for_collectives(program, axis):
    one = program.json(*DENSE, f"--{axis}", "1")
    assert one.values["memory.buffers.communication"] == 0
    two = program.json(*DENSE, f"--{axis}", "2")
    assert two.values["memory.buffers.communication"] == GIB


SCHEDULES = [
    ("1f1b", ()),
    ("interleaved", ("--virtual-pipeline", "2")),
    *((name, ()) for name in ("zb1p", "zbv", "dualpipe", "dualpipev")),
]


def rows_of(block):
    """Return the rows of a table, each as its cells, without those that are empty."""
    return [re.split(r" {2,}", line.strip()) for line in block.splitlines()[2:]]


def number(cell):
    return float(cell.removesuffix(" B").replace(",", "") if cell != "-" else 0)


@pytest.mark.parametrize("rank", [0, 3])
@pytest.mark.parametrize(("schedule", "more"), SCHEDULES)
@pytest.mark.parametrize("model", ["llama-3.1-8b", "deepseek-v3"])
def test_what_is_shown_of_a_rank_adds_up_to_it(program, model, schedule, more, rank):
    """Micro-batches in flight and waiting of each stage; layers and matrices of each class."""
    ask = ("memory", model, "--hardware", "h800", "--pp", "4", "--schedule", schedule, *more)
    ask = (*ask, "--global-batch", "8", "--rank", str(rank), "--dp", "1")
    ask += ("--with-mtp", "--recompute", "v3-recompute") if model == "deepseek-v3" else ()
    values = program.json(*ask).values
    blocks = re.split(r"\n\n+", program.ok(*ask, "--exact").out)
    (chunks,) = [rows_of(block) for block in blocks if re.match(" rank.*in flight", block)]
    held = [number(cell) for row in chunks[:-1] for cell in row[2:]]
    peak = sum(count * each for count, each in zip(held[::2], held[1::2], strict=True))
    assert peak == number(chunks[-1][-1]) == values[f"memory.rank.{rank}.activations"]
    blocks = re.split(r"\n\n+", program.ok(*ask, "--exact", "--by", "tensor").out)
    states, _ = [rows_of(block) for block in blocks if re.match(" [re].* times ", block)]
    for column, part in enumerate(PARTS[:3]):
        shown = sum(number(row[1]) * number(row[2 + column]) for row in states[:-1])
        total = number(states[-1][1 + column])
        assert shown == total == values[f"memory.rank.{rank}.{part}"]


def test_a_micro_batch_of_each_stage_adds_up(program):
    ask = (*PRETRAIN, "--with-mtp", "--rank", "0", "--by", "tensor", "--exact")
    blocks = re.split(r"\n\n+", program.ok(*ask).out)
    (rows,) = [rows_of(block) for block in blocks if block.startswith(" each micro-batch")]
    kept = waiting = stages = 0
    for row in rows:
        if row[0] == "total":
            assert [kept, waiting] == [number(cell) for cell in row[1:]]
            kept, waiting, stages = 0, 0, stages + 1
        elif len(row) > 1:
            kept += number(row[1]) * number(row[2])
            waiting += number(row[1]) * number(row[3])
    assert stages == 2


def test_tables_of_large_numbers_stay_narrow(program):
    ask = ("memory", "llama-3.1-405b", "--hardware", "h100", "--tp", "1", "--micro-batch", "3")
    out = program.ok(*ask).out
    assert "micro-batches of 3 x 4,096 tokens" in out
    assert all(len(line) <= 80 for line in out.splitlines() if line.startswith(" "))
    assert "-7,483" in out


def test_exact_details_are_not_rounded(program):
    out = program.ok(*PRETRAIN, "--rank", "3", "--exact").out
    assert not re.search("[KMGT]iB", out.partition("note:")[0])


def reasons_of(program, *ask):
    found = program.json("memory", *ask, "--as", "megatron")
    classes = [*PARTS[:-1]]
    one = f"({'|'.join(classes)})"
    notes = [note for note in found.data["notes"] if re.match(f"{one}(, {one})*: ", note)]
    told = {each for note in notes for each in note.partition(":")[0].split(", ")}
    assert told == {each for each in classes if found.values[f"megatron.difference.{each}"]}
    return "\n".join(notes)


def test_megatron_differs_for_reasons_that_apply(program):
    llama = ("llama-3.1-405b", "--hardware", "h100", "--layout", "llama-3.1-405b-pretrain")
    told = reasons_of(program, *llama)
    assert "gradients: whole on every replica there; here ZeRO 2 divides them" in told
    assert "recipe" not in told
    assert "DualPipe" not in told
    assert "dense" not in told
    told = reasons_of(program, *PRETRAIN[1:])
    assert "two under DualPipe" in told
    assert "optimizer: 12 bytes a parameter there; here 8, the recipe's" in told
    assert "every layer is dense" in told
    assert "ZeRO" not in told


@pytest.mark.parametrize("more", [(), ("--zero", "3"), ("--precision", "fp8-deepseek-v3")])
@pytest.mark.parametrize("model", ["llama-3.1-8b", "gpt-oss-120b", "qwen2.5-7b"])
def test_whatever_differs_from_megatron_has_a_reason(program, model, more):
    reasons_of(program, model, "--hardware", "h100", "--tp", "4", "--dp", "2", *more)


def test_one_stage_has_no_pipeline_to_fill(program):
    told = program.json(*DENSE, "--tp", "1").data["assumptions"]
    assert not any("pipeline" in text for text in told)
    told = program.json(*DENSE, "--pp", "2").data["assumptions"]
    assert any("at least 4 micro-batches, enough to fill the pipeline" in text for text in told)


def test_layers_of_a_rank_are_named_by_their_groups(program):
    layout = ("--tp", "8", "--pp", "2", "--hardware", "h100")
    printed = program.ok("memory", "gemma-3-27b", *layout, "--rank", "0").out
    # of the first 31 layers every sixth has full attention
    assert "26 groups.0, 5 groups.1" in printed


def test_ranks_as_rows_of_csv(program):
    asked = ("memory", "deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800")
    lines = program.ok(*asked, "--by", "rank", "--format", "csv").out.splitlines()
    assert lines[0] == "rank,weights,gradients,optimizer,activations,buffers,total,free"
    rows = [list(map(int, line.split(","))) for line in lines[1:]]
    values = program.json(*asked).values
    assert [row[0] for row in rows] == list(range(16))
    for rank, *parts, total, free in rows:
        assert sum(parts) == total == values[f"memory.rank.{rank}.total"]
        assert free == values["memory.usable"] - total
    shown = program.ok(*asked, "--by", "rank").out
    assert all(f"\n {rank} " in shown for rank in (4, 5, 12))  # alike, and a row each
