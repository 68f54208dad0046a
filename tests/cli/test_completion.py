"""Completion of presets, fields and enumerations in a shell."""

# SPDX-License-Identifier: Apache-2.0
import pytest

from dsv3calc.catalogue.field_names import field_names
from dsv3calc.cli import load_command
from dsv3calc.commands.tree import command_of


def completed(command, option, incomplete):
    group, _, name = command.rpartition(" ")
    made = command_of(load_command, group, name)
    param = next(each for each in made.params if option in each.opts or each.name == f"{option}_0")
    return [each.value if hasattr(each, "value") else each
            for each in param.shell_complete(None, incomplete)]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "option", "incomplete", "word"),
    [
        ("memory", "--hardware", "h8", "h800"),
        ("memory", "--layout", "v3-pre", "v3-pretrain"),
        ("memory", "--schedule", "dual", "dualpipe"),
        ("compare", "--rows", "parameters,kv", "parameters,kv_cache"),
        ("kv", "--kv-dtype", "fp8", "fp8-mla"),
        ("flops", "--as", "torch", "torchtitan"),
        ("flops", "--recompute", "f", "full"),
        ("kv", "--notes", "s", "short"),
        ("kv", "--color", "n", "never"),
        ("kv", "--set", "num_experts_per", "num_experts_per_tok="),
        ("memory", "--set", "hardware.mem", "hardware.memory="),
        ("memory", "--set", "setup.memory.", "setup.memory.loss="),
        ("compare", "--vary", "deepseek-v3:", "deepseek-v3:attention="),
        ("compare", "--vary", "deepseek-v3:ep=8,num_ex", "deepseek-v3:ep=8,num_experts_per_tok="),
        ("compare", "models", "deepseek-v3:pre", "deepseek-v3:precision="),
        ("compare", "models", "mixtral", "mixtral-8x7b"),
        ("kv", "model", "deepseek-ai/DeepSeek-V3.1", "deepseek-ai/DeepSeek-V3.1"),
        ("kv", "model", "deepseek-r", "deepseek-r1"),
    ],
)
def test_values_are_completed(command, option, incomplete, word):
    assert word in completed(command, option, incomplete)


def test_fields_of_every_part_are_named():
    names = field_names()
    assert {"kv_lora_rank", "head_dim", "intermediate_size", "layout.tp", "setup.memory"} <= {
        *names
    }
    assert not any("sources" in name for name in names)
