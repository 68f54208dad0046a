"""What a model is made of: each layer as one list of operators, built by the kind of its parts.

``attention/KIND.py`` and ``feed_forward/KIND.py`` build the part of a layer whose struct in the
schema has the tag KIND. What adds operators up stands in ``accounting``.
"""
# SPDX-License-Identifier: Apache-2.0
