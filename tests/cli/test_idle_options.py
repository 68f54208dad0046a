"""No option of any query is ignored in silence: it changes a number, is refused, or is told."""

import pytest

from dsv3calc import cli
from dsv3calc.errors import Dsv3calcError
from dsv3calc.queries.fields import fields_of
from dsv3calc.queries.table import QUERIES, struct_of
from dsv3calc.studies.dispatch import answer

ASKED = {
    "params": ["deepseek-v3", "llama-3.1-8b"],
    "flops": ["deepseek-v3", "llama-3.1-8b --phase decode"],
    "kv": ["deepseek-v3", "llama-3.1-8b"],
    "compare": ["deepseek-v3 llama-3.1-8b", "llama-3.1-8b --hardware h100"],
    "memory": [
        "llama-3.1-8b --hardware h100 --tp 1",
        "llama-3.1-8b --hardware h100 --tp 1 --serve",
        "deepseek-v3 --hardware h800 --ep 64",
        "deepseek-v3 --hardware h800 --ep 64 --serve",
    ],
    "which": ["--model llama-3.1-8b --hardware h100"],
    "traffic": [
        "llama-3.1-8b --hardware h100 --tp 2",
        "llama-3.1-8b --hardware h100 --dp 2 --serve",
        "deepseek-v3 --hardware h800 --ep 64",
        "deepseek-v3 --hardware h800 --ep 64 --serve",
    ],
    "time": [
        "llama-3.1-8b --hardware h100",
        "llama-3.1-8b --hardware h100 --phase train",
        "deepseek-v3 --hardware h800 --ep 64",
        "deepseek-v3 --hardware h800 --ep 64 --phase train",
    ],
    "train": [
        "llama-3.1-8b --hardware h100 --dp 2 --global-batch 8",
        "deepseek-v3 --hardware h800 --ep 64 --global-batch 64",
    ],
    "failures": ["llama-3.1-8b --hardware h800 --dp 512"],
    "serve": ["llama-3.1-8b --hardware h100", "deepseek-v3 --hardware h800 --ep 64"],
    "limits ep": ["deepseek-v3 --hardware h800"],
    "network": ["mpft ft3 slim-fly dragonfly --radix 16", "--endpoints 2048"],
    "host": [
        "deepseek-v3 --hardware h800 --prefill-rate 32200",
        "deepseek-v3 --hardware h800 --layout v3-pretrain",
    ],
    "search": [],  # a search for each option would take minutes
    "formula eval": [],
}
"""Words of a query -> what is asked: models with and without experts, one GPU and several."""

VALUES = {
    "acceptance": "0.5", "activation_dtype": "fp32", "algorithm": "tree", "attention": "full",
    "attention_kernel": "unfused", "backward_combine": "fp8", "backward_dispatch": "bf16",
    "bandwidth": "achieved", "batch": "3", "combine": "fp8", "compute_copy": "stored-twice",
    "compute_time": "10ms", "context": "8000", "convention": "isca25 isca25-table2",
    "counting": "six-n",
    "dcp": "2", "dispatch": "bf16", "draft_tokens": "1", "exclude": "router",
    "fit": "40GiB", "forwarding": "per-expert", "global_batch": "128", "gradient_dtype": "bf16",
    "gradient_reduction": "micro-batch", "group_score": "max", "head": "out", "hit_rate": "0.5",
    "imbalance": "2", "include": "mtp", "kv_dtype": "fp8", "latency": "1us", "law": "exponential",
    "layer_split": "balanced", "link": "scale-up", "memory_fraction": "0.5", "metadata": "16",
    "micro_batch": "2", "mla": "naive absorbed", "mla_context": "expanded", "mtp_acceptance": "0.5",
    "mtp_cost": "0.1", "network": "h800-mpft", "oversubscription": "2", "page_size": "3000",
    "parameter_dtype": "fp32", "past": "8000", "phase": "prefill", "policy": "unrestricted",
    "precision": "int8", "prefill_batch": "2", "prompt_tokens": "1000", "recipe": "pure-bf16",
    "recompute": "full", "redundant_experts": "64", "response_tokens": "100", "router": "out",
    "routing_weights": "after", "scan": "chunked", "schedule": "zb1p", "scale_up_latency": "1us",
    "sequence": "512", "setup": "megatron-moe-hgx vllm", "shared_experts": "replicated",
    "state_interval": "64", "tokens": "100", "train_tokens": "1T", "variant": "with-mtp both",
    "virtual_pipeline": "2", "zero": "1", "gpus": "2", "ep": "2", "etp": "2",
    "radix": "64", "endpoints": "500", "planes": "4", "planes_down": "1", "flows": "8", "q": "5",
    "groups": "4", "slo": "tpot<=50ms", "failures": "llama-3-54-days", "gpu_hours": "100",
    "storage_bandwidth": "1GB/s", "interval": "10min", "restart": "10min",
    "switch_price": "5000", "link_price": "100",
}  # fmt: skip
"""Field -> a value that is no default, or several of which one is none."""

BY_DIMENSION = {"count": "3 16", "tokens": "100", "ratio": "0.5 2", "s": "10ms", "bytes": "1GiB"}
"""Dimension of a number -> values of options without one above; others are tried in all choices."""

BY_PRESET = {"model": "llama-3.1-8b qwen2.5-7b"}
"""Kind of preset -> values alike. Texts of another form need a value in VALUES to be tried."""

FREE = {
    "set", "preset_path", "ignore_keys",  # have tests of their own
    "model", "models", "hardware", "layout", "prefill_layout", "vary", "library",  # what is asked
    "by", "rank", "rows", "baseline", "require_fit", "fewest_gpus",  # what is shown
    "tp", "cp", "pp", "dp",  # how many GPUs there are; an answer may be about one of them
}  # fmt: skip

SAME = {
    ("memory", "padded"): "both vocabularies divide into whole parts",
    ("failures", "failures"): "there is one such preset",
    ("train", "combine"): "its time is hidden without a set-up, and the head's instant is fuller",
    ("traffic", "setup"): "with tp 1 each rule gives etp 1",
    ("traffic", "serve"): "a pass alone; that it has no step is told",
}
"""Options with an effect that these models do not show."""


def values(found):
    return {
        (column.id, name): line.value
        for column in found.columns
        for name, line in column.ledger.named().items()
    }


def ask(line):
    return answer(cli.parse(line.split()).query)


def options(words):
    for field in fields_of(struct_of(QUERIES[words])).values():
        if field.name in FREE or field.option.positional or (words, field.name) in SAME:
            continue
        if field.kind == "flag":
            yield field.flag, [field.flag]
            continue
        option = field.option
        other = BY_PRESET.get(option.preset, " ".join(option.values()))
        given = VALUES.get(field.name, BY_DIMENSION.get(option.dimension, other))
        yield field.flag, [f"{field.flag} {value}" for value in given.split()]


def ignored(asked, plain, flag, option):
    """Return whether an option changed nothing and was told nothing of; fail where it lied."""
    try:
        found = ask(f"{asked} {option}")
    except Dsv3calcError as error:
        return "choose one of" in str(error)  # then the value is wrong, and not the option
    before, now = values(plain), values(found)
    both = before.keys() & now.keys()
    same = all(before[name] == now[name] for name in both) and before.keys() >= now.keys()
    same = same and len(found.columns) == len(plain.columns)
    known = [*plain.warnings, *plain.notes, *plain.assumptions]
    told = [*found.warnings, *found.notes, *found.assumptions]
    about = [text for text in told if text not in known and flag in text]
    idle = [text for text in about if text.startswith(f"{flag} has no effect")]
    assert (
        not idle
        or "but that dp follows" in idle[0]
        or {name for name in both if before[name] != now[name]} == set()
    ), idle
    return same and not about


@pytest.mark.parametrize(
    ("words", "asked"), [(words, each) for words, asked in ASKED.items() for each in asked]
)
def test_no_option_is_ignored_in_silence(words, asked):
    plain = ask(f"{words} {asked}")
    for flag, given in options(words):
        if flag not in asked.split():
            tried = [ignored(f"{words} {asked}", plain, flag, option) for option in given]
            assert not (tried and all(tried)), (asked, given)


def test_every_query_is_asked():
    assert ASKED.keys() == QUERIES.keys()


def test_a_preset_that_is_not_read_is_told(program):
    asked = ("time", "llama-3.1-8b", "--hardware", "h100", "--recipe", "bogus")
    assert (
        "--recipe has no effect: it is an option of training"
        in program.json(*asked).data["warnings"]
    )
