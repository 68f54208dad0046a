"""Strict YAML and JSON with positions, diagnostics, and files written atomically."""
# SPDX-License-Identifier: Apache-2.0
