"""The kinds of mixer: one file for each, named by the tag of its struct in the schema."""
# SPDX-License-Identifier: Apache-2.0
