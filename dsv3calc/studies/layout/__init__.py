"""Layouts: built from presets and options, chosen, checked, searched."""
# SPDX-License-Identifier: Apache-2.0
