"""The rows of the glossary, one file for a few subjects."""
# SPDX-License-Identifier: Apache-2.0
