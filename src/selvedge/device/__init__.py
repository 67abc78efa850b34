"""What a device is: its memories, its rates, their sources, and the budget it leaves to a plan."""

from selvedge.device.budget import Budget
from selvedge.device.cost import Work, joules, seconds
from selvedge.device.device import Device
from selvedge.device.figures import Delegate, Energy, FlashSplit, KernelTime, Rates, Source, Toolchain
from selvedge.device.power import Battery, Solar
from selvedge.device.profile import devices
from selvedge.device.sizes import format_bytes, parse_bytes

__all__ = [
    "Battery",
    "Budget",
    "Delegate",
    "Device",
    "Energy",
    "FlashSplit",
    "KernelTime",
    "Rates",
    "Solar",
    "Source",
    "Toolchain",
    "Work",
    "devices",
    "format_bytes",
    "joules",
    "parse_bytes",
    "seconds",
]
