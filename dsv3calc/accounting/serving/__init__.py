"""Serving in seconds: decode steps, prefill passes, what they cost."""
# SPDX-License-Identifier: Apache-2.0
