"""What GPUs send: experts' exchange, collectives, links, and how long it takes."""
# SPDX-License-Identifier: Apache-2.0
