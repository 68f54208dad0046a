"""Placement: ranks, pipeline stages, schedules, slots for experts."""
# SPDX-License-Identifier: Apache-2.0
