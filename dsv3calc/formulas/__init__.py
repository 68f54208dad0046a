"""Closed forms, one file per subject: plain arithmetic."""
# SPDX-License-Identifier: Apache-2.0
