"""Outputs of operations that a policy of recomputation keeps by the name of the operation."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.model.operator import GROUPED, PRODUCT
from dsv3calc.model.saved import Product

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dsv3calc.model.operator import Operator
    from dsv3calc.model.saved import Saving

_EVERY, _ALTERNATE, _GROUPED = "products", "alternate_products", "grouped_products"


def saved_outputs(operators: Iterable[Operator], saving: Saving) -> Iterator[Product]:
    """Yield the outputs of matrix products of a layer that stay, each matrix a product by itself.

    They are counted in the order in which they run: of ``alternate_products`` the first stays, the
    second is recomputed. An output that is yet to be summed over tp is whole.
    """
    saved = saving.recompute.saved_operations
    number = 0
    for operator in operators:
        product = operator.output(saving)
        if product is None:
            continue
        place = "whole" if "tp" in operator.after else product.place
        for tensor in operator.matrices:
            if operator.kind == GROUPED:
                stays = _GROUPED in saved
            else:
                number += operator.kind == PRODUCT
                stays = _EVERY in saved or (_ALTERNATE in saved and number % 2 == 1)
            if stays:
                name = f"{operator.name}.{tensor.name}"
                yield Product(f"{name}_output", tensor.out_features, place)


def scattered_outputs(operators: Iterable[Operator], saving: Saving) -> Iterator[Product]:
    """Yield what reduce-scatters of tensor parallelism give, where they are saved.

    Without sequence parallelism outputs are summed by an all-reduce, which no policy saves.
    """
    layout = saving.layout
    if "reduce_scatter" not in saving.recompute.saved_operations or not layout.sequence_parallel:
        return
    for operator in operators:
        product = operator.output(saving)
        divided = "tp" in operator.after and not layout.is_replicated(operator.component)
        if product is not None and divided:
            yield Product(f"{operator.name}.scattered", product.width, product.place)
