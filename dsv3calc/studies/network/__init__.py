"""The answer to ``network``."""
# SPDX-License-Identifier: Apache-2.0
