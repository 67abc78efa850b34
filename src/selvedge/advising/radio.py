"""What a radio draws: the published figures that may stand for a link's own.

A transfer of ``n`` bytes at ``r`` bytes a second draws ``n * joules_per_byte + n / r * watts``, and each message
``message_j`` beside that: waking the radio, and the tail in which it stays awake after the last byte. That is the
linear model of Huang et al., *A close examination of performance and power characteristics of 4G LTE networks*, MobiSys
2012, section 5 (power = alpha * throughput + beta, promotion and tail apart); a chip whose data sheet states a current
has no alpha.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Radio:
    """``up_j_per_byte``, ``down_j_per_byte``: joules a byte. ``up_w``, ``down_w``: watts while it sends and while it
    receives. ``message_j``: joules a message, whatever its size. ``source``: where they are published; ``checked``:
    the figures were read there when they were entered, not only transcribed."""

    name: str
    up_j_per_byte: float
    down_j_per_byte: float
    up_w: float
    down_w: float
    message_j: float
    source: str
    checked: bool


_HUANG = "Huang et al., MobiSys 2012, tables 3 and 4"

RADIOS: Mapping[str, Radio] = MappingProxyType(
    {
        # alpha in mW/Mbit/s is nJ/bit: x 8e-9 J/B. Promotion 1210.7 mW x 0.2601 s, tail 1060 mW x 11.576 s.
        "lte": Radio(
            "lte", 438.39 * 8e-9, 51.97 * 8e-9, 1.28804, 1.28804, 1.2107 * 0.2601 + 1.06 * 11.576,
            f"{_HUANG} (a telephone's LTE: alpha 438.39 up, 51.97 down mW/Mbit/s, beta 1288.04 mW; promotion and tail)",
            checked=False,
        ),
        # Promotion 124.4 mW x 0.0791 s, tail 119.3 mW x 0.2381 s.
        "wifi": Radio(
            "wifi", 283.17 * 8e-9, 137.01 * 8e-9, 0.13286, 0.13286, 0.1244 * 0.0791 + 0.1193 * 0.2381,
            f"{_HUANG} (a telephone's Wi-Fi: alpha 283.17 up, 137.01 down mW/Mbit/s, beta 132.86 mW; promotion, tail)",
            checked=False,
        ),
        "ble": Radio(
            "ble", 0.0, 0.0, 4.8e-3 * 3.0, 4.6e-3 * 3.0, 0.0,
            "Nordic Semiconductor, nRF52840 Product Specification, feature list: 4.8 mA peak in TX (0 dBm), 4.6 mA in "
            "RX, at 3 V with DC/DC; the radio alone, connection events not counted",
            checked=True,
        ),
        "lora": Radio(
            "lora", 0.0, 0.0, 29e-3 * 3.3, 10.8e-3 * 3.3, 0.0,
            "Semtech, SX1276/77/78/79 data sheet, table 6: 29 mA in TX at +13 dBm (RFO), 10.8 mA in RX, at 3.3 V; the "
            "radio alone, receive windows not counted",
            checked=False,
        ),
    }
)  # fmt: skip
