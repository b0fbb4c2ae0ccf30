"""The settings of the soak's processes: those of the project, and the rooms that only the soak has."""

from pathlib import Path

from connectors import providers
from syncproject.settings import *  # noqa: F403 - all of them

providers.__path__.append(str(Path(__file__).with_name("rooms")))
