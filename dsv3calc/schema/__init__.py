"""The types of everything that a preset file can hold, as msgspec structs.

The modules with these structs do without ``from __future__ import annotations``: annotations that
are texts would be compiled one by one when the first file is read.
"""
# SPDX-License-Identifier: Apache-2.0
