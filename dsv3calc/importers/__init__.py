"""Importers: other projects' descriptions of a model, read into the schema's plain data."""
# SPDX-License-Identifier: Apache-2.0
