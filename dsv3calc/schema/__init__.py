"""The shapes of everything a preset file can hold, as msgspec structs."""
# SPDX-License-Identifier: Apache-2.0
