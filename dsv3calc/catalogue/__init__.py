"""Presets: found by name, loaded, checked, overridden."""
# SPDX-License-Identifier: Apache-2.0
