"""The answer to ``time``: seconds of a pass by operator."""
# SPDX-License-Identifier: Apache-2.0
