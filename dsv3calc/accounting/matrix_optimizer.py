"""Which optimizer a recipe updates a tensor with, and the states that it keeps of it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.ledger.line import Line, field, total

if TYPE_CHECKING:
    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.memory import Recipe

NOT_MATRICES = ("embedding", "head", "convolutions")
"""Classes of weights with two sides that Muon leaves to AdamW."""


def by_muon(recipe: Recipe, tensor: Tensor) -> bool:
    """Tell whether a recipe updates a tensor with Muon: a matrix of a hidden layer."""
    matrix = tensor.in_features is not None and tensor.weight_class not in NOT_MATRICES
    return matrix and recipe.matrix_optimizer == "muon"


def state_bits(recipe: Recipe, *, muon: bool) -> Line:
    """Return the bits that an optimizer keeps for each parameter; Muon has one moment."""
    names = ["master_bits", "first_moment_bits", "second_moment_bits"]
    scope = ("recipe", recipe)
    name = "recipe.muon_bits" if muon else "recipe.optimizer_bits"
    return total(name, [field(scope, each, "bit") for each in names[: 2 if muon else 3]])
