"""The answer to ``serve``: how fast a server decodes and prefills, and what tokens cost."""
# SPDX-License-Identifier: Apache-2.0
