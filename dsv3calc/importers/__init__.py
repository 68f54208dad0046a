"""Import of Hugging Face configs into the fields of the model schema."""
# SPDX-License-Identifier: Apache-2.0
