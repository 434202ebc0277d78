"""What tests of interrupted runs share."""

import pytest

from fpcore.runs import states


@pytest.fixture
def every_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs store every state, not one a second."""
    monkeypatch.setattr(states, "INTERVAL", 0.0)
    monkeypatch.setattr(states, "SHARE", 0)
