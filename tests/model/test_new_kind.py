"""A kind of attention or feed-forward takes what CONTRIBUTING names: a struct, a builder, a row.

A copy of the package gets new kinds in exactly that way. Every command then answers from the new
kind or refuses it by its name; none takes it for another.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dsv3calc
from dsv3calc.catalogue.search_path import packaged_presets

PACKAGE = Path(dsv3calc.__file__).parent

STRUCTS = '''
class GLA(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="gla"):
    """Gated linear attention: a state of fixed size in place of a cache."""

    num_attention_heads: Size
    num_key_value_heads: Size
    head_dim: Size
    decay_rank: Size


class Bare(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="bare"):
    """A kind that nothing builds."""

    num_attention_heads: Size
    num_key_value_heads: Size
    head_dim: Size


class ReLU2(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="relu2"):
    """Two matrices with a squared ReLU between them."""

    intermediate_size: Size
    gated: Literal[False] = False


'''
ADDED = {"Attention": ("GLA", "Bare"), "FeedForward": ("ReLU2",)}

GLA = """
from dsv3calc.ledger.line import combined
from dsv3calc.model.block import Attention
from dsv3calc.model.operator import PRODUCT, SCAN, Operator

NAMES = ("q_proj", "k_proj", "v_proj", "decay_a", "decay_b", "o_proj")


class Kind(Attention):
    def make_tensors(self):
        width = combined(f"{self.prefix}.width", "product", (self.heads, self.field("head_dim")))
        rank = self.field("decay_rank")
        for name in NAMES[:3]:
            yield self.tensor(name, "attention", width, self.hidden)
        yield self.tensor("decay_a", "decay", rank, self.hidden, division="replicated")
        yield self.tensor("decay_b", "decay", width, rank)
        yield self.tensor("o_proj", "attention", self.hidden, width)

    def make_operators(self, form):
        for name in NAMES[:-1]:
            yield Operator(name, PRODUCT, "attention_projections", self.weights(name))
        yield Operator("recurrence", SCAN, "attention_core")
        yield Operator(
            "o_proj", PRODUCT, "attention_projections", self.weights("o_proj"), after=("tp",)
        )
"""

RELU2 = """
from functools import cached_property

from dsv3calc.model.block import FeedForward
from dsv3calc.model.feed_forward.matrices import Matrices


class Kind(FeedForward):
    @cached_property
    def _matrices(self):
        return Matrices(
            self,
            "relu2_ffn",
            "mlp_act",
            dropped_by=("mlp", "mlp mlp_act"),
            width=lambda _: self.inner_width,
        )

    def make_tensors(self):
        return self._matrices.tensors(self.inner_width, "split", bias=False)

    def make_operators(self, form):
        return self._matrices.operators(lambda _: (self.input("feed_forward_input"),))

    @property
    def inner_width(self):
        return self.field("intermediate_size")
"""

ROW = '        "decay_rank": Symbol(r"r_\\\\gamma", "elements", "rank of the decay projection"),\n'

HIDDEN, VOCABULARY, LAYERS, HEADS, CHANNELS, RANK, INNER = 256, 1000, 4, 8, 32, 16, 1024

MODEL = """
name: {name}
title: A model of a new kind
hidden_size: 256
vocab_size: 1000
num_hidden_layers: 4
groups:
  - attention: {attention}
    feed_forward: {feed_forward}
sources: {{made: {{kind: assumed, citation: made for a test}}}}
provenance: {{default: made}}
"""
GQA_FIELDS = "num_attention_heads: 8, num_key_value_heads: 4, head_dim: 32"
MODELS = {
    "toy-gla": (f"{{type: gla, {GQA_FIELDS}, decay_rank: 16}}", "dense"),
    "toy-bare": (f"{{type: bare, {GQA_FIELDS}}}", "dense"),
    "toy-relu2": (f"{{type: gqa, {GQA_FIELDS}}}", "relu2"),
}

TRAINING = "--tp 2 --pp 2 --dp 2 --hardware h800"
COMMANDS = (
    "params {}",
    "params {} --by layer",
    "kv {} --tokens 100",
    "flops {} --seq 64",
    "flops {} --phase decode",
    "flops {} --phase train --as transformers",
    "flops {} --counting six-n",
    "compare {} llama-3.1-8b",
    "compare {} --hardware h800",
    "compare {} --vary {}:attention=gqa:4",
    "compare {} --vary {}:feed_forward=dense-active",
    f"memory {{}} {TRAINING}",
    f"memory {{}} {TRAINING} --recompute mlp",
    f"memory {{}} {TRAINING} --as megatron",
    f"memory {{}} {TRAINING} --by tensor",
    "memory {} --fewest-gpus --hardware h800",
    "memory {} --serve --tp 2 --hardware h800",
    "traffic {} --tp 2 --cp 2 --dp 2 --global-batch 8 --hardware h800",
    "limits ep --model {} --hardware h800",
    "explain kv {}",
    "explain params {}",
    "formula derive parameters.total {} --free hidden_size",
    "formula derive flops.total {} --free hidden_size",
    "formula sensitivity kv_cache.bytes {}",
    "formula solve kv_cache.bytes<=1GiB {} --for tokens --want largest",
    "diff {} llama-3.1-8b",
    "presets show {}",
)

COUNTS = (
    "params {} --json",
    "params {} --by layer --json",
    "flops {} --seq 64 --attention full --json",
    "kv {} --json",
)

DRIVER = """
import contextlib, io, json, sys
from dsv3calc.__main__ import run

found = {}
for command in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(command.split())
    found[command] = status, out.getvalue(), err.getvalue()
json.dump(found, sys.stdout)
"""


def add_structs(path):
    """Add the structs before the first union of kinds, and their names to the unions."""
    text = path.read_text("utf-8")
    before, first, after = text.partition("\nAttention = ")
    text = before + STRUCTS + first.lstrip("\n") + after
    unions = {
        node.targets[0].id: ast.get_source_segment(text, node.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ADDED
    }
    for union, names in ADDED.items():
        text = text.replace(unions[union], " | ".join((unions[union], *names)))
    path.write_text(text, "utf-8")


def add_row(path):
    """Add a row of the glossary, above the row of another width."""
    text = path.read_text("utf-8")
    above = '        "qk_nope_head_dim": Symbol('
    assert text.count(above) == 1
    path.write_text(text.replace(above, ROW + above), "utf-8")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What every command leaves for every new kind: status, output, errors."""
    root = tmp_path_factory.mktemp("house")
    package = root / "dsv3calc"
    ignored = shutil.ignore_patterns("__pycache__", "data")
    shutil.copytree(PACKAGE, package, ignore=ignored)
    (root / "presets").symlink_to(packaged_presets())
    add_structs(package / "schema" / "model.py")
    (package / "model" / "attention" / "gla.py").write_text(GLA, "utf-8")
    (package / "model" / "feed_forward" / "relu2.py").write_text(RELU2, "utf-8")
    add_row(package / "formulas" / "registry" / "symbols" / "model.py")
    models = root / "mine" / "models"
    models.mkdir(parents=True)
    for name, (attention, kind) in MODELS.items():
        feed_forward = f"{{type: {kind}, intermediate_size: 1024}}"
        text = MODEL.format(name=name, attention=attention, feed_forward=feed_forward)
        (models / f"{name}.yaml").write_text(text, "utf-8")
    commands = [each.format(name, name) for name in MODELS for each in (*COMMANDS, *COUNTS)]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "DSV3CALC_PATH": str(root / "mine")},
        timeout=300,
    )
    return json.loads(done.stdout)


def values(outcome):
    status, out, err = outcome
    assert status == 0, err
    return json.loads(out)["columns"][0]["values"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", MODELS)
def test_every_command_answers_from_it_or_refuses_it(outcomes, name, command):
    status, out, err = outcomes[command.format(name, name)]
    assert status in (0, 2), err
    assert "Traceback" not in err
    if status == 0:
        assert out.strip()
    else:
        assert not out
        assert any(words in err for words in ("'gla'", "'bare'", "a scan", "no layer", "no routed"))


def test_what_its_builder_lists_is_counted(outcomes):
    square, norms = HIDDEN * HEADS * CHANNELS, (2 * LAYERS + 1) * HIDDEN
    ends = 2 * VOCABULARY * HIDDEN + norms
    gla = 4 * square + RANK * (HIDDEN + HEADS * CHANNELS) + 3 * HIDDEN * INNER
    assert values(outcomes["params toy-gla --json"])["parameters.total"] == LAYERS * gla + ends
    relu2 = 2 * square + 2 * HIDDEN * 4 * CHANNELS + 2 * HIDDEN * INNER
    assert values(outcomes["params toy-relu2 --json"])["parameters.total"] == LAYERS * relu2 + ends
    # a training step of 64 tokens: three passes, of which each multiplies and adds
    pairs = 2 * LAYERS * HEADS * CHANNELS * 64 * 64
    step = 6 * (64 * (LAYERS * relu2 + VOCABULARY * HIDDEN) + pairs)
    found = values(outcomes["flops toy-relu2 --seq 64 --attention full --json"])
    assert found["flops.total"] == step
    assert found["flops.components.relu2_ffn"] == 6 * 64 * LAYERS * 2 * HIDDEN * INNER


@pytest.mark.parametrize(("name", "component"), [("toy-gla", "decay"), ("toy-relu2", "relu2_ffn")])
def test_a_component_of_its_own_is_among_the_layers(outcomes, name, component):
    status, out, _ = outcomes[f"params {name} --by layer --json"]
    assert status == 0
    rows = json.loads(out)["rows"]
    whole = values(outcomes[f"params {name} --json"])["parameters.total"]
    assert sum(row["total"] for row in rows) == whole
    layers = [row[component] for row in rows if isinstance(row["layer"], int)]
    assert len(layers) == LAYERS
    assert all(layers)


def test_what_is_not_known_of_it_is_refused_by_name(outcomes):
    for command, words in (
        ("kv {} --json", "the cache of attention of kind 'gla'"),
        ("flops {} --seq 64", "the FLOPs of the operator 'recurrence', a scan,"),
        (f"memory {{}} {TRAINING}", "the activations of the operator 'recurrence', a scan,"),
        (
            "traffic {} --tp 2 --cp 2 --dp 2 --global-batch 8 --hardware h800",
            "what context parallelism exchanges of attention of kind 'gla'",
        ),
    ):
        status, _, err = outcomes[command.format("toy-gla")]
        assert status == 2
        assert words in err
    assert "the tensors of attention of kind 'bare'" in outcomes["params toy-bare"][2]


def test_no_count_chooses_by_the_type_of_a_part():
    """Outside of its own folder nothing imports a kind's struct at run time, nor tells it apart."""
    kinds = {"MLA", "GQA", "Dense", "MoE", "Indexer"}
    rooms = ("accounting", "studies", "output", "commands")
    found = []
    for path in (path for room in rooms for path in (PACKAGE / room).rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        guarded = {
            inner
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node not in guarded:
                names = kinds & {alias.name for alias in node.names}
                found += [(path.name, name) for name in names]
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
                names = {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}
                found += [(path.name, name) for name in kinds & names]
    assert not found
