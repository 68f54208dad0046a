"""Pure closed forms, one file per subject: plain arithmetic, no imports but ops and units."""
# SPDX-License-Identifier: Apache-2.0
