"""Sizes are bytes in code and KiB in print; what could mean two things is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selvedge.device import format_bytes, parse_bytes
from selvedge.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (4096, 4096), (0, 0), ("4096", 4096), ("12 B", 12), ("64KiB", 65_536), (" 64 KiB ", 65_536),
        ("1MiB", 1_048_576), ("1.5MiB", 1_572_864), ("2GiB", 2**31), ("64kB", 64_000), ("16GB", 16 * 10**9),
        ("0.5KiB", 512), ("1.001kB", 1001),
    ],
)  # fmt: skip
def test_a_size_is_read(text: int | str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "KiB", "64K", "64KB", "64kb", "1M", "-1", "-1KiB", "0.3B", "1e3", "64 Ki B", "lots", "\u0661"]
)
def test_a_bad_size_is_refused_with_the_units_to_use(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_bytes(text, "budget ram")
    assert refused.value.field == "budget ram"
    assert refused.value.value == text
    assert "64KiB" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", [-1, 1.5, True, None])
def test_a_size_that_is_neither_whole_nor_text_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        parse_bytes(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (65_536, "64 KiB"), (65_600, "64.1 KiB"),
        (327_680, "320 KiB"), (1_048_576, "1 MiB"), (2**31, "2 GiB"), (-2048, "-2 KiB"),
    ],
)  # fmt: skip
def test_a_size_is_printed_in_units_of_1024(size: int, text: str) -> None:
    assert format_bytes(size) == text


@given(st.integers(0, 2**40))
def test_a_printed_size_reads_back_to_within_its_one_decimal(size: int) -> None:
    value, unit = format_bytes(size).split()
    scale = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[unit]
    assert abs(float(value) * scale - size) <= 0.05 * scale + 1e-6
