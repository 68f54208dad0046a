"""The answer to ``memory``: inputs, options, training and serving."""
# SPDX-License-Identifier: Apache-2.0
