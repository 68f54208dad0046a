"""What a model has beside attention and feed-forwards: one file for each kind, named by its tag."""
# SPDX-License-Identifier: Apache-2.0
