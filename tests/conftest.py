"""What all tests share: the `server` marker, real servers, hypothesis without deadlines, and no results of others."""

from __future__ import annotations

import os

from hypothesis import settings

from server_marker import pytest_make_collect_report, pytest_runtest_makereport, pytest_runtest_setup
from servers import kafka, postgres, s3

__all__ = [
    "kafka",
    "postgres",
    "pytest_make_collect_report",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "s3",
]

# What a test computes is computed: those of the cache name a folder of their own.
os.environ["QMTL_CACHE"] = "off"

# The first example of a kernel compiles it: a deadline would measure the compiler.
settings.register_profile("qmtl", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("qmtl")
