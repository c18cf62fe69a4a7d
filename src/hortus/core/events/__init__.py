"""The event bus of a process and the Redis transport that joins the buses of several.

`redis_transport` is imported by its name, where Redis is configured.
"""

from hortus.core.events.bus import KEPT_EVENTS, Bus, Event, RemoteEvent

__all__ = ["KEPT_EVENTS", "Bus", "Event", "RemoteEvent"]
