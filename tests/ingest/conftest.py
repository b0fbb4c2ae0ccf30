"""The scripted provider, with more kinds of records."""

from __future__ import annotations

import pytest

from tests.ingest.steps import MORE_STREAMS
from tests.scripted import Script


@pytest.fixture
def script(script: Script) -> Script:
    script.streams += MORE_STREAMS
    return script
