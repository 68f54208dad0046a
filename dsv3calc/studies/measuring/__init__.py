"""Measuring the present device: its kernels are run and timed, as rows and as a preset."""
# SPDX-License-Identifier: Apache-2.0
