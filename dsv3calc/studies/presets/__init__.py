"""Answers about presets: lists, differences, imports."""
# SPDX-License-Identifier: Apache-2.0
