"""What came of each scenario."""

from concurrent.futures import Future

import pytest

from tests.delivery.scenarios import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.requirement("S-001", "S-003", "S-048", "S-049", "S-051", "S-076")
def test_delivery(played: dict[str, "Future[None]"], name: str) -> None:
    print(f"\n{SCENARIOS[name].play.__doc__}")
    played[name].result()
