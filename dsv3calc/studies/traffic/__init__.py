"""The answers to ``traffic`` and ``limits ep``."""
# SPDX-License-Identifier: Apache-2.0
