"""Every provider is one room in connectors/providers; this is the corridor."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from connectors import providers
from connectors.base import Access, Connector, Json
from connectors.errors import ConfigError
from connectors.modes import checked_settings, credentials_of


@cache
def all_connectors() -> dict[str, type[Connector]]:
    """Return each provider's connector class by name."""
    for room in iter_modules(providers.__path__, prefix=f"{providers.__name__}."):
        import_module(room.name)
    found = {cls for cls in _below(Connector) if cls.__module__.startswith(providers.__name__)}
    return {cls.name: cls for cls in sorted(found, key=lambda cls: cls.name)}


def _below(cls: type[Connector]) -> set[type[Connector]]:
    subclasses = set(cls.__subclasses__())
    return subclasses.union(*(_below(sub) for sub in subclasses))


def connect(name: str, *, config: Json, credentials: Json, access: Access) -> Connector:
    """
    Return the connector for one source, its settings checked.

    :raises ConfigError: naming each setting that is unknown, missing or malformed
    """
    try:
        room = all_connectors()[name]
    except KeyError:
        known = ", ".join(all_connectors())
        raise ConfigError(f"Unsupported source type: {name}. Known: {known}.") from None
    return room(
        config=checked_settings(room.config_model, config, f"{name} config"),
        credentials=credentials_of(room.auth_modes, credentials, f"{name} credentials"),
        access=access,
    )
