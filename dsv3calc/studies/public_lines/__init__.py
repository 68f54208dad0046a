"""Public lines: their names, units and meanings, one file per subject."""
# SPDX-License-Identifier: Apache-2.0
