"""Questions asked of ledgers: what the commands and the Python API answer, free of printing."""
# SPDX-License-Identifier: Apache-2.0
