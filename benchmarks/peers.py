"""Layouts a second of other calculators beside ours: memory and step time of the same layouts.

Random layouts of Llama 3.1 8B (tp, pp, dp and micro-batch; 1F1B, ZeRO-1, no recomputation, no
sequence parallelism, 256 sequences of 4,096 tokens). All ways run in one process on the same
layouts, one after the other in each round; the least processor time of the rounds counts. A peer
does what its own interface does for a layout, on the device that it ships which is nearest to an
H100. Peers model less or other things, so the ratio is one of time and not of equal work: medians
of memory and step time stand beside it.

A peer is looked for where Python imports from, and in each ``--peer-path``: the folder of a
checkout. Nothing of a peer is part of this repository.

Run: ``python benchmarks/peers.py [--layouts 100] [--peer-path CHECKOUT ...]``
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import logging
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from engine import CATEGORY, recording

from dsv3calc.accounting.memory import worst_rank
from dsv3calc.numbers import compiled
from dsv3calc.studies.search.counted import TrainingBlock
from dsv3calc.studies.search.layouts import Layouts
from dsv3calc.studies.search.space import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Row = dict[str, int]
    Answer = tuple[float, float]
    """Bytes of the fullest rank, seconds of a step."""
    Count = Callable[[Row], Answer]

SEQUENCE, SEQUENCES = 4096, 256
MODEL, HARDWARE = "llama-3.1-8b", "h100"
HIDDEN, FEED_FORWARD, HEADS, KV_HEADS, LAYERS, VOCABULARY = 4096, 14336, 32, 8, 32, 128256
GIB = 2**30
MANY = 10**6
ROUNDS = 3


def draw(count: int) -> dict[str, Any]:
    """Draw layouts, as columns."""
    random = np.random.default_rng(count)

    def power(least: int, most: int) -> Any:
        return 2 ** random.integers(least, most + 1, count)

    found = {"tp": power(0, 3), "pp": power(0, 5), "dp": power(1, 4), "micro_batch": power(0, 2)}
    one = np.ones(count, dtype=np.int64)
    found |= {"cp": one, "ep": one, "etp": one, "edp": found["tp"] * found["dp"]}
    found["micro_batches"] = SEQUENCES // (found["dp"] * found["micro_batch"])
    return found


class Peer(msgspec.Struct):
    """A calculator: where it is found, what of it is called, and how that is made ready."""

    name: str
    module: str
    source: str
    called: str
    ready: Callable[[], Count]


def llm_analysis() -> Count:
    """Return what counts a layout with llm-analysis."""
    analysis = importlib.import_module("llm_analysis.analysis")
    config = importlib.import_module("llm_analysis.config")
    importlib.import_module("llm_analysis.logger").logger.setLevel(logging.CRITICAL)
    model = config.ModelConfig(
        name=MODEL,
        num_layers=LAYERS,
        n_head=HEADS,
        hidden_dim=HIDDEN,
        vocab_size=VOCABULARY,
        max_seq_len=SEQUENCE,
        num_key_value_heads=KV_HEADS,
        ffn_embed_dim=FEED_FORWARD,
        expansion_ratio=FEED_FORWARD / HIDDEN,
    )
    gpu = config.get_gpu_config_by_name("h100-sxm-80gb")
    gpu.mem_per_GPU_in_GB = MANY  # it refuses what does not fit; here all are counted

    def count(row: Row) -> Answer:
        layout = config.ParallelismConfig(
            tp_size=row["tp"], pp_size=row["pp"], dp_size=row["dp"], sp_size=1
        )
        found = analysis.LLMAnalysis(
            model, gpu, parallelism_config=layout, flops_efficiency=0.5
        ).training(
            batch_size_per_gpu=row["micro_batch"],
            gradient_accumulation_steps=row["micro_batches"],
            seq_len=SEQUENCE,
            ds_zero=analysis.DSZeRO.STAGE_1,
            mlp_gated_linear_units=True,
        )
        memory = (
            found["weight_memory_per_gpu"]
            + found["gradient_memory_per_gpu"]
            + found["optimizer_state_memory_per_gpu"]
            + found["activation_memory_per_gpu"]
        )
        return memory, found["latency_per_iter"]

    return count


def calculon() -> Count:
    """Return what counts a layout with calculon: attention of one kind, no gate, no vocabulary."""
    package = importlib.import_module("calculon")
    llm = importlib.import_module("calculon.llm.llm").Llm
    root = Path(package.__file__).parents[1]
    file = json.loads((root / "systems" / "h100_80g_nvl8.json").read_text())
    file["mem1"]["GiB"] = MANY  # as for llm-analysis
    system = package.System(file)
    application = llm.Application(
        {
            "hidden": HIDDEN,
            "feedforward": FEED_FORWARD,
            "seq_size": SEQUENCE,
            "attn_heads": HEADS,
            "attn_size": HIDDEN // HEADS,
            "num_blocks": LAYERS,
        }
    )
    log = logging.getLogger("peer")
    log.setLevel(logging.CRITICAL)
    same = {
        "tensor_par_net": 0,
        "pipeline_par_net": 1,
        "data_par_net": 1,
        "batch_size": SEQUENCES,
        "datatype": "float16",
        "fused_activation": True,
        "attention_type": "multihead",
        "activation_recompute": "none",
        "pipeline_interleaving": 1,
        "optimizer_sharding": True,
        "tensor_par_comm_type": "ar",
        "tensor_par_overlap": "none",
        "seq_par_ag_redo": False,
        "data_par_overlap": False,
        "weight_offload": False,
        "activations_offload": False,
        "optimizer_offload": False,
        "training": True,
    }

    def count(row: Row) -> Answer:
        layout = llm.Execution.from_json(
            {
                **same,
                "num_procs": row["tp"] * row["pp"] * row["dp"],
                "tensor_par": row["tp"],
                "pipeline_par": row["pp"],
                "data_par": row["dp"],
                "microbatch_size": row["micro_batch"],
            }
        )
        model = llm(application, log)
        model.compile(system, layout)
        model.run(system)
        return model.get_mem_tier1_cap_req(), model.get_total_time()

    return count


def simumax() -> Count:
    """Return what counts a layout with SimuMax, on the A100s that it ships."""
    config = importlib.import_module("simumax.core.config")
    perf = importlib.import_module("simumax.core.perf_llm")
    utils = importlib.import_module("simumax.utils")
    model = config.ModelConfig.init_from_config_file(utils.get_simu_model_config("llama3-8b"))
    system = config.SystemConfig.init_from_config_file(utils.get_simu_system_config("a100_pcie"))
    file = utils.get_simu_strategy_config("tp1_pp2_dp4_mbs1")
    same = config.StrategyConfig.read_json_file(file)
    same |= {"seq_len": SEQUENCE, "enable_recompute": False, "enable_sequence_parallel": False}

    def count(row: Row) -> Answer:
        layout = config.StrategyConfig.init_from_dict(
            {
                **same,
                "world_size": row["tp"] * row["pp"] * row["dp"],
                "tp_size": row["tp"],
                "pp_size": row["pp"],
                "micro_batch_size": row["micro_batch"],
                "micro_batch_num": row["micro_batches"],
            }
        )
        found = perf.PerfLLM()
        found.configure(strategy_config=layout, model_config=model, system_config=system)
        found.run_estimate()
        memory, cost = found.analysis_mem().data, found.analysis_cost().data
        stages = [memory] if "peak_mem" in memory else memory.values()
        peak = max(_bytes(stage["peak_mem"]) for stage in stages)
        return peak, _seconds(cost["duration_time_per_iter"])

    return count


def _bytes(text: str) -> float:
    number, unit = text.split()
    return float(number) * {"GB": GIB, "MB": 2**20, "KB": 2**10}[unit]


def _seconds(text: str) -> float:
    number, unit = text.split()
    return float(number) * {"s": 1.0, "ms": 1e-3, "us": 1e-6}[unit]


PEERS = (
    Peer(
        "llm-analysis",
        "llm_analysis.analysis",
        "pip install llm-analysis",
        "LLMAnalysis(...).training(...)",
        llm_analysis,
    ),
    Peer(
        "calculon",
        "calculon.llm.llm",
        "--peer-path, a checkout of calculon-ai/calculon; calculon of PyPI is something else",
        "Llm(...), compile(...) and run(...)",
        calculon,
    ),
    Peer(
        "SimuMax",
        "simumax.core.perf_llm",
        "--peer-path, a checkout of MooreThreads/SimuMax, with pandas and sympy",
        "PerfLLM: configure, run_estimate, analysis_mem and analysis_cost",
        simumax,
    ),
)


def is_there(module: str) -> bool:
    """Tell whether a module can be imported, without importing it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def ours_alone() -> Count:
    """Return what counts one layout as a query does, without printing it."""
    held = recording(MODEL, HARDWARE, {}, fast=False, sequences=SEQUENCES).layouts.held

    def count(row: Row) -> Answer:
        layouts = Layouts(held, row)
        memory = worst_rank.worst(layouts.footprint(CATEGORY)).total.value
        return memory, layouts.step(CATEGORY)

    return count


def ours_together(columns: dict[str, Any]) -> tuple[Any, Any]:
    """Count layouts together as a search does, what is recorded for it included."""
    constants = {"cp": 1, "ep": 1, "etp": 1}
    fast = compiled.is_there() and len(columns["tp"]) == MANY
    kept = recording(MODEL, HARDWARE, constants, fast=fast, sequences=SEQUENCES)
    memory, seconds = [], []
    for start in range(0, len(columns["tp"]), BLOCK):
        part = {name: each[start : start + BLOCK] for name, each in columns.items()}
        block = TrainingBlock(kept.layouts.held, kept, part)
        memory.append(block.memory(CATEGORY))
        seconds.append(block.step_time(CATEGORY))
    return np.concatenate(memory), np.concatenate(seconds)


def each_of(count: Count, rows: Sequence[Row]) -> tuple[list[Answer], list[str]]:
    """Count layouts one by one; also return why some were refused."""
    found, refused = [], []
    with contextlib.redirect_stdout(io.StringIO()):
        for row in rows:
            try:
                found.append(count(row))
            except Exception as error:  # noqa: BLE001 - what a peer raises is counted and shown
                refused.append(f"{type(error).__name__}: {str(error)[:70]}")
    return found, refused


def least(function: Callable[[], Any], rounds: int = ROUNDS) -> tuple[float, Any]:
    """Return the least processor seconds of some rounds, and what the last one returned."""
    taken, found = [], None
    for _ in range(rounds):
        start = time.process_time()
        found = function()
        taken.append(time.process_time() - start)
    return min(taken), found


def show(name: str, rates: Sequence[float], memory: Sequence[float], seconds: Any) -> None:
    """Print a line: the rate, those of ours over it, and what came out."""
    rate, *ours = rates
    print(
        f"{name:20} {rate:11,.0f}  "
        + "  ".join(f"{rounded(own / rate):10,g}" for own in ours)
        + f"  {np.median(memory) / GIB:10.1f}  {np.median(seconds):8.2f}"
    )


def rounded(ratio: float) -> float:
    """Return a ratio to three digits."""
    return float(f"{ratio:.3g}")


def with_paths(parser: argparse.ArgumentParser, paths: Sequence[Path]) -> None:
    """Let checkouts be imported from."""
    for path in paths:
        if not any((path / peer.module.partition(".")[0]).is_dir() for peer in PEERS):
            names = ", ".join(peer.name for peer in PEERS)
            parser.error(f"--peer-path {path}: there is no package of {names}")
        sys.path.insert(0, str(path.resolve()))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--layouts", type=int, default=100)
    parser.add_argument(
        "--peer-path",
        type=Path,
        action="append",
        default=[],
        metavar="CHECKOUT",
        help="the folder of a checkout of " + " or ".join(peer.name for peer in PEERS[1:]),
    )
    options = parser.parse_args()
    with_paths(parser, options.peer_path)
    total = options.layouts
    columns, many = draw(total), draw(MANY)
    rows = [{name: int(each[at]) for name, each in columns.items()} for at in range(total)]
    alone = ours_alone()
    alone(rows[0])
    one, (answers, _) = least(lambda: each_of(alone, rows))
    several, together = least(lambda: ours_together(columns))
    most, of_many = least(lambda: ours_together(many), 1)
    ours = [total / one, total / several, MANY / most]
    print(
        f"{total} layouts of {MODEL}, memory and step time. Ours over each: one by one, together,"
    )
    print(f"and {MANY:,} together. Then medians of GiB and of seconds.")
    print(f"{'':20} {'layouts/s':>11}   one by one    together     million         GiB         s")
    show("dsv3calc, one by one", [ours[0], *ours], *zip(*answers, strict=True))
    show("dsv3calc, together", [ours[1], *ours], *together)
    show("dsv3calc, a million", [ours[2], *ours], *of_many)
    for peer in PEERS:
        if not is_there(peer.module):
            print(f"{peer.name}: not installed ({peer.source})")
            continue
        count = peer.ready()
        taken, (answers, refused) = least(lambda: each_of(count, rows))  # noqa: B023 - at once
        if answers:
            show(peer.name, [total / taken, *ours], *zip(*answers, strict=True))
        print(f"  calls {peer.called}; refused: {len(refused)}", *refused[:1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
