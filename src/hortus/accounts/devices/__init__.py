"""Devices on which a user has signed in: recognised by a signed cookie, or by network and kind of browser."""

from hortus.accounts.devices.agents import device_name
from hortus.accounts.devices.cookie import DeviceCookie
from hortus.accounts.devices.service import Known, Seen, recognise, remember, sweep_devices

__all__ = ["DeviceCookie", "Known", "Seen", "device_name", "recognise", "remember", "sweep_devices"]
