"""Layouts: built from presets and options, chosen, checked; the request of a search."""
# SPDX-License-Identifier: Apache-2.0
