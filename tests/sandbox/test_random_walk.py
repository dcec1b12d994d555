"""Random walks over the settings of a stack, for WALK_SECONDS or an hour.

WALK_SEED begins with a seed of before.
"""

import os
import random
import time

import pytest

from tests.sandbox.conftest import Api, Project
from tests.sandbox.killing import clean
from tests.sandbox.walk import Walk

__all__ = ["clean"]

pytestmark = pytest.mark.long

_HOUR = "3600"


def test_wherever_a_walk_leads_it_ends_with_what_the_program_says(project: Project, api: Api) -> None:
    end = time.monotonic() + float(os.environ.get("WALK_SECONDS", _HOUR))
    seed = int(os.environ.get("WALK_SEED", random.SystemRandom().randrange(1_000_000)))
    while time.monotonic() < end:
        Walk(project, api, seed).go()
        seed += 1
