"""Answers about one line: its closed form, solutions, sensitivities."""
# SPDX-License-Identifier: Apache-2.0
