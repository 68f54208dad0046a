"""Memory of a GPU under a layout: states, activations, buffers, ranks, serving."""
# SPDX-License-Identifier: Apache-2.0
