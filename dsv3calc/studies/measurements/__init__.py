"""Measured times: read, predicted, scored, and what a device achieves fitted to them."""
# SPDX-License-Identifier: Apache-2.0
