"""What to try for a layer that quantises badly: one rule a cause, each with the figure that it goes by."""

from __future__ import annotations

from dataclasses import dataclass

SPREAD = 16.0  # times the median that the widest channel of a weight may have before one scale is too coarse
CLIPPED = 1e-3  # share of an activation outside its range
OUTLIER = 4.0  # times the 99.9th percentile that the highest value may have
POOR = 20.0  # dB: below it an error is more than a hundredth of the power
FEW = 128  # calibration samples


@dataclass(frozen=True, slots=True)
class Symptoms:
    """Of one layer. ``spread``: the widest channel of its weight over the median one, 1 without a weight. ``outlier``:
    the highest magnitude of its output over the 99.9th percentile. ``clipped``: share outside the range. ``bits``: of
    its weight, None without one."""

    sqnr_db: float
    spread: float
    outlier: float
    clipped: float
    bits: int | None


def advice(seen: Symptoms, samples: int, observer: str, per_tensor: bool) -> list[str]:
    """What to try, the likeliest first; empty where nothing is wrong."""
    made = []
    if seen.bits == 4:
        made.append("its weight has 4 bits: give it 8 with bits=, or train with sv.QAT")
    if seen.spread > SPREAD:
        times = f"its widest channel is {seen.spread:.0f} times the median one"
        made.append(f"{times}: equalise=True" + (", or one scale a channel (per_tensor=False)" if per_tensor else ""))
    if seen.clipped > CLIPPED:
        what = "calibrate with more of what the model meets" if observer == "minmax" else "observer='minmax'"
        made.append(f"{seen.clipped:.2%} of its output is cut off: {what}")
    elif seen.outlier > OUTLIER and observer == "minmax":
        made.append(
            f"its highest value is {seen.outlier:.0f} times the 99.9th percentile: observer='mse' or 'percentile'"
        )
    if seen.sqnr_db < POOR and samples < FEW:
        made.append(f"it was calibrated on {samples} samples: give {FEW} or more")
    if seen.sqnr_db < POOR and not made:
        made.append("correct_bias=True or adaround=True; else sv.QAT")
    return made
