"""Golden files: verdicts, tolerances, snapshots, reproduced papers."""
# SPDX-License-Identifier: Apache-2.0
