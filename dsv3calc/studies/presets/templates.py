"""Files to start from: a device, a layout or a set-up of one's own."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.catalogue import references
from dsv3calc.catalogue.own import PLACEHOLDER
from dsv3calc.catalogue.search_path import FOLDERS
from dsv3calc.errors import UsageError
from dsv3calc.reading.diagnostics import quote, suggest
from dsv3calc.studies.answer import Answer

_HARDWARE = """\
# A device. Only title, memory.marketed and one peak are needed; a query that needs more names it.
{where}
name: {name}
title: {name}

memory:
  marketed: 80 GB      # as sold
  usable: 79 GiB       # what a process can allocate; for memory
  bandwidth: 3 TB/s    # for bounds of time

peaks:                 # dense, with FP32 accumulation
  bf16: 900 TFLOPS
  # fp8: 1800 TFLOPS

# The links of one device, per direction, for traffic:
# scale_up: {{name: NVLink, nominal: 450 GB/s, domain_size: 8}}
# scale_out: {{name: InfiniBand, nominal: 50 GB/s}}
# node_size: 8
# dollars_per_hour: 2

source: own measurement, {placeholder}   # or sources and provenance, as shipped files have them
"""

_LAYOUT = """\
# A layout. All degrees are 1 where they are not given.
{where}
name: {name}
title: {name}

tp: 8
pp: 1
dp: 1
# ep: 8                # GPUs that share a layer's experts
# zero: 1
# schedule: 1f1b
# micro_batch: 1
# global_batch: 64
# sequence: 4096
# phase: decode        # train, prefill or decode; both where it is not given

source: our cluster    # or sources and provenance, as shipped files have them
"""

_SETUP = """\
# A framework or engine: what it takes of a device beside tensors.
{where}
name: {name}
title: {name}

memory:
  driver_context: 512 MiB
  workspace: 32 MiB
  communication: 1 GiB
  bucket: 40000000     # gradients that are reduced at once
  memory_fraction: 0.9 # of the device, for weights, buffers and cache
  page_size: 16

# experts: {{rule: vllm}}           # megatron, vllm, sglang or trtllm
# blocks: {{undivided: refuse}}     # refuse, pad or load

source: own measurement, {placeholder}   # or sources and provenance, as shipped files have them
"""

TEMPLATES = {"hardware": _HARDWARE, "layout": _LAYOUT, "setup": _SETUP}
"""Kind -> a file to start from, which is valid once its source has a date."""


def new_preset(kind: str, called: str) -> Answer:
    """Return a file to start from.

    Raises
    ------
    UsageError
        If there is none of that kind, or the name is none.
    """
    if kind not in TEMPLATES:
        close = suggest(kind, TEMPLATES)
        raise UsageError(
            f"presets new {quote(kind)}: choose one of {', '.join(TEMPLATES)}",
            f"did you mean '{close}'?"
            if close
            else "a model starts with dsv3calc import config.json",
        )
    if not references.NAME.fullmatch(called) or len(called) > references.LONGEST_NAME:
        raise UsageError(
            f"{quote(called)} is no name of a preset",
            "letters, digits, '.', '_' and '-', the first a letter or digit",
        )
    answer = Answer("presets new", {"kind": kind, "name": called}, "text")
    folder = FOLDERS[kind]
    where = (
        f"# In queries: its path, as ./{called}.yaml; {called} where it lies in presets/{folder}/."
    )
    answer.text = TEMPLATES[kind].format(name=called, where=where, placeholder=PLACEHOLDER)
    answer.rows = [{"kind": kind, "name": called}]
    return answer
