"""How many examples a property is tested with, where that is not the number of the profile."""

# SPDX-License-Identifier: Apache-2.0
from hypothesis import settings

_DEV = 40
"""Examples of the profile ``dev``, for which the numbers in the tests are written."""


def examples(number, **more):
    """Return settings with so many examples, or with the share of them that the profile has."""
    share = settings.default.max_examples / _DEV
    return settings(max_examples=max(2, round(number * share)), **more)
