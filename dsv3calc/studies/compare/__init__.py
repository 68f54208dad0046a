"""The answer to ``compare``: designs side by side."""
# SPDX-License-Identifier: Apache-2.0
