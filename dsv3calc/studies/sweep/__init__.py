"""Sweeps: every point of a study asked, kept in chunks, and written as one file at the end."""
# SPDX-License-Identifier: Apache-2.0
