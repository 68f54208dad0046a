"""What every test shares: hypothesis profiles, and the strategies beside this file."""

import gc
import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

# With --import-mode=importlib nothing is put on the path: tests/strategies.py would not be found.
sys.path.insert(0, str(Path(__file__).parent))

collect_ignore = ["site"]
"""Tests of the page need a browser: scripts/test_site.py runs them."""

_SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]
settings.register_profile("dev", max_examples=40, deadline=None, suppress_health_check=_SLOW)
settings.register_profile(
    "ci", max_examples=15, deadline=None, derandomize=True, suppress_health_check=_SLOW
)
# of the lowest versions of the dependencies: whether the calls exist, not whether they are right
settings.register_profile(
    "few", max_examples=4, deadline=None, derandomize=True, suppress_health_check=_SLOW
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))


def pytest_collection_finish():
    """Leave ten thousand collected tests out of every later search for garbage."""
    gc.collect()
    gc.freeze()
