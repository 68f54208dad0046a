"""The subcommands, one file each: they turn arguments into a request, and do nothing else."""
# SPDX-License-Identifier: Apache-2.0
