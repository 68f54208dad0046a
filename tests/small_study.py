"""A study of two points, for tests that need one."""

STUDY = """\
name: batches
title: Caches of two batches
queries: [kv deepseek-v3 --context 8192]
axes:
  - {name: batch, option: batch, values: [1, 32]}
outputs: {cache: kv_cache.bytes}
"""
