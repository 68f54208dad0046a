"""Pictures of answers: charts described once, drawn as SVG or with characters."""
# SPDX-License-Identifier: Apache-2.0
