"""Passes for tests: settings of times with any numbers in them."""

import msgspec

import dsv3calc
from dsv3calc.accounting.times.fold import Fold, time_lines
from dsv3calc.accounting.times.setting import Setting
from dsv3calc.accounting.traffic.exchange import Exchange
from dsv3calc.catalogue import presets
from dsv3calc.schema.achieved import Achieved
from dsv3calc.schema.layout import Layout
from dsv3calc.schema.provenance import Source
from dsv3calc.schema.workload import Conventions, Workload

CITED = {"sources": {"drawn": Source(kind="assumed", citation="of a test")}}
CITED["provenance"] = {"default": "drawn"}
FIT = {
    "kind": "assumed", "rows": ["a test"], "points": 1, "median_error": 0.0, "p10": 0.0, "p90": 0.0,
}  # fmt: skip


def kernel(computes_in, compute, bandwidth, launch, **more):
    """Return an entry of a kernel: the shares that it reaches, and its launch in seconds."""
    shares = {"compute_share": compute, "bandwidth_share": bandwidth, "launch": launch}
    return {"computes_in": computes_in, **shares, "fit": FIT, **more}


def collective(share, latency, growth, exponent):
    """Return an entry of a collective."""
    values_ = {"link_share": share, "latency": latency, "latency_growth": growth}
    return {**values_, "exponent": exponent, "fit": FIT}


BLOCK = {
    "gemm": {
        "bf16": kernel("bf16", 0.75, 0.8, 4e-6, exponent=4),
        "fp8": kernel("fp8", 0.7, 0.8, 12e-6, exponent=3, pass_share=0.4),
        "fp8_block": kernel("fp8", 0.65, 0.8, 7e-6, exponent=3, pass_share=0.6),
        "fp8_block-deepgemm": kernel("fp8", 0.635, 0.857, 2.5e-6, exponent=8),
    },
    "experts": {
        "bf16": kernel("bf16", 0.75, 0.9, 24e-6, exponent=8, pass_share=0.5),
        "fp8_block": kernel("fp8", 0.65, 0.9, 23e-6, exponent=8, pass_share=0.3),
    },
    "attention": {
        "prefill": {"bf16": kernel("bf16", 0.6, 0.7, 12e-6, half_length=1600)},
        "backward": {"bf16": kernel("bf16", 0.5, 0.7, 12e-6, half_length=1400)},
        "decode": {"bf16": kernel("bf16", 0.6, 0.85, 16e-6, exponent=8)},
        "mla_decode": {"bf16": kernel("bf16", 0.65, 0.9, 18e-6, exponent=8)},
    },
    "links": {
        "collectives": {
            "all_reduce": collective(0.8, 6e-6, 0.25, 0.65),
            "all_gather": collective(0.65, 5e-6, 0.15, 0.6),
            "reduce_scatter": collective(0.8, 7e-6, 0.1, 0.7),
            "all_to_all": collective(0.7, 8e-6, 0.0, 0.6),
        },
        "exchanges": {
            name: {
                "scale_up_share": 0.5, "scale_out_share": 0.9,
                "latency": 13e-6, "remote_latency": 21e-6, "fit": FIT,
            }
            for name in ("low_latency", "normal")
        },
    },
}  # fmt: skip
RATES = msgspec.convert(BLOCK, Achieved)
RECIPE = presets.load("recipe", "megatron-bf16").value
BF16_CACHE = dsv3calc.load_kv_format("bf16")
H800 = msgspec.structs.replace(dsv3calc.load_hardware("h800"), achieved=None)


def preset(kind, name):
    """Return a shipped preset."""
    return presets.load(kind, name).value


def layout_of(**fields):
    """Return a layout; its numbers may be ints, Fractions, arrays or symbols."""
    return Layout(name="drawn", title="A layout of a test", **CITED, **fields)


def setting_of(model, phase, batch=1, sequence=None, past=None, *, precision=None, **changes):
    """Return a setting: of a model by name or as it is, on one GPU where no layout is given."""
    model = dsv3calc.load_model(model) if isinstance(model, str) else model
    default = {"train": (4096, 0), "prefill": (4096, 0), "decode": (1, 4096)}[phase]
    work = Workload(
        phase=phase,
        batch=batch,
        sequence=default[0] if sequence is None else sequence,
        past=default[1] if past is None else past,
    )
    given = {
        "layout": layout_of(),
        "conventions": Conventions(),
        "hardware": H800,
        "kv_format": BF16_CACHE,
        "exchange": Exchange(),
        "achieved": RATES,
        "recipe": RECIPE if phase == "train" else None,
    }
    precision = dsv3calc.load_precision(precision or model.precision)
    return Setting(model=model, workload=work, precision=precision, **(given | changes))


def lines_of(*arguments, **options):
    """Return the lines of a pass."""
    return time_lines(Fold(setting_of(*arguments, **options)))


def fold_of(*arguments, **options):
    """Return the kernels of a pass."""
    return Fold(setting_of(*arguments, **options))


def values(lines):
    """Return the values of lines and of what they are made of, by name."""
    return {each.name: each.value for line in lines for each in line.published()}
