"""Times of a pass: kernels on one GPU of a layout, at peaks, at measured rates, with a set-up."""
# SPDX-License-Identifier: Apache-2.0
