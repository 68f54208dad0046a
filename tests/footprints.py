"""Footprints for tests: layouts and what is trained with, with any numbers in them."""

import msgspec

import dsv3calc
from dsv3calc.accounting.memory.footprint import Footprint, Training
from dsv3calc.accounting.memory.ranks import rank_line
from dsv3calc.catalogue import presets
from dsv3calc.schema.layout import Layout
from dsv3calc.schema.model import GQA, Dense, LayerGroup, Model
from dsv3calc.schema.provenance import Source
from dsv3calc.schema.setup import SetupMemory

CITED = {"sources": {"drawn": Source(kind="assumed", citation="of a test")}}
CITED["provenance"] = {"default": "drawn"}

NO_OVERHEADS = SetupMemory(
    driver_context=0,
    workspace=0,
    communication=0,
    bucket=0,
    memory_fraction=1.0,
    page_size=1,
)
BF16 = dsv3calc.load_precision("bf16")
UNIFORM = msgspec.structs.replace(BF16, weights={"default": BF16.weights["default"]})
"""BF16 for every tensor, the bias that balances routing included."""


def preset(kind, name, **changes):
    return msgspec.structs.replace(presets.load(kind, name).value, **changes)


def layout_of(**fields):
    """Return a layout; its numbers may be ints, Fractions, arrays or symbols."""
    return Layout(name="drawn", title="A layout of a test", **CITED, **fields)


def footprint_of(
    model,
    layout,
    *,
    recompute="none",
    recipe="megatron-bf16",
    precision=UNIFORM,
    sequence=4096,
    micro_batches=64,
    mtp=False,
    **options,
):
    """Return the footprint of a layout, presets by name or as they are."""
    training = Training(
        precision,
        preset("recipe", recipe) if isinstance(recipe, str) else recipe,
        preset("recompute", recompute) if isinstance(recompute, str) else recompute,
        options.pop("software", NO_OVERHEADS),
        **options,
    )
    return Footprint(
        model, layout, training, sequence=sequence, micro_batches=micro_batches, mtp=mtp
    )


def rank_of(footprint, number):
    name = f"memory.rank.{number}"
    return footprint.rank(name, rank_line(name, number))


def ranks_of(footprint):
    return [rank_of(footprint, number) for number in range(int(footprint.layout.pp))]


def gpt(hidden, heads, head_dim, layers=4, vocabulary=1000, **fields):
    """Return a GPT: as many key-value heads as heads, 4h wide without a gate, two norms a layer."""
    attend = GQA(num_attention_heads=heads, num_key_value_heads=heads, head_dim=head_dim)
    feed = Dense(intermediate_size=4 * hidden, gated=False)
    return Model(
        name="gpt",
        title="A GPT",
        hidden_size=hidden,
        vocab_size=vocabulary,
        num_hidden_layers=layers,
        groups=[LayerGroup(attention=attend, feed_forward=feed)],
        **CITED,
        **fields,
    )
