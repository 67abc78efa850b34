"""How surely and how soon a faulty machine is told from the healthy one, by fault, size and detector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from selvedge.errors import InvalidInput
from selvedge.learn.anomaly.gaussian import GaussianDetector
from selvedge.learn.anomaly.recordings import Recording
from selvedge.learn.anomaly.vibration import FEATURES, features

from .bearing import FAULTS, machine, noise, still, strikes

Windows = Sequence[npt.NDArray[np.float64]]
Describe = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
WINDOW = 512
LEARNT, JUDGED = 200, 100  # windows of the healthy machine to learn, and of either to be judged by
SIZES = (0.02, 0.035, 0.05, 0.1, 0.2)  # of the strongest strike, m/s^2: the noise has less than 0.1 (RMS)
SEEDS = range(10, 15)  # 0..4 are those that the features were chosen by


def _energy(window: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """log of the RMS, about the mean."""
    return np.log(np.maximum([window.std()], 1e-12))


def _upper(window: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """log of the RMS of the upper half of the band: where the resonance is known to lie."""
    power = np.square(np.abs(np.fft.rfft((window - window.mean()) * np.hanning(window.size))))
    return np.log(np.maximum([np.sqrt(power[power.size // 2 :].sum()) / window.size], 1e-12))


DETECTORS: Mapping[str, tuple[int, Describe]] = {
    "spectrum and envelope": (FEATURES, features),
    "RMS energy": (1, _energy),
    "RMS energy, upper half band": (1, _upper),
}


def study(say: Callable[[str], None], seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """The model: mean and range over the seeds of each detector, fault and size."""
    runs: list[dict[str, Any]] = []
    for seed in seeds:
        say(f"seed {seed}")
        runs += _model(seed)
    rows = []
    for detector in DETECTORS:
        for fault in FAULTS:
            for size in SIZES:
                found = [r for r in runs if (r["detector"], r["fault"], r["size"]) == (detector, fault, size)]
                rows.append({"detector": detector, "fault": fault, "size": size, **_summary(found)})
    return {"rows": rows, "seeds": len(seeds), "window": WINDOW, "learnt": LEARNT, "judged": JUDGED}


def recordings(found: Sequence[Recording], window: int = WINDOW) -> list[dict[str, Any]]:
    """Recordings of one's own: the first half of the healthy ones is learnt, the second judged beside the faulty."""
    for r in found:
        if r.samples.size < window:
            raise InvalidInput("window", window, f"{r.name} has {r.samples.size} samples: give as many or fewer")
    halves = [(r.samples[: r.samples.size // 2], r.samples[r.samples.size // 2 :]) for r in found if r.healthy]
    learnt, healthy = ([w for h in halves for w in windows(h[part], window)] for part in (0, 1))
    least = 2 * FEATURES + 20
    if len(learnt) < least or not healthy:
        have = f"of {len(learnt) + len(healthy)} windows of {window} samples"
        raise InvalidInput("healthy recordings", have, f"give {2 * least} or more, or a smaller window")
    rows = []
    for name, (size, describe) in DETECTORS.items():
        detector = _Learnt(size, describe, learnt)
        normal = detector.scores(healthy)
        for r in found:
            if not r.healthy:
                scores = detector.scores(windows(r.samples, window))
                rows.append({"detector": name, "recording": r.name, **detector.judged(normal, scores)})
    return rows


def windows(samples: npt.NDArray[np.float64], window: int) -> Windows:
    return [samples[i : i + window] for i in range(0, samples.size - window + 1, window)]


class _Learnt:
    """A detector that has learnt a healthy machine, and the highest score it gave in the second half of that."""

    def __init__(self, size: int, describe: Describe, learnt: Windows) -> None:
        self._size, self._describe, self._warm = size, describe, len(learnt)
        detector = GaussianDetector(size, warm=self._warm)
        scores = [detector.update(describe(w)) for w in learnt]
        self._state = detector.state_dict()
        self.bar = max([*scores[len(scores) // 2 :], 1e-6])

    def scores(self, judged: Windows) -> npt.NDArray[np.float64]:
        """Of windows that follow on what was learnt."""
        detector = GaussianDetector(self._size, warm=self._warm)
        detector.load_state_dict(self._state)
        return np.array([detector.update(self._describe(w)) for w in judged])

    def judged(self, healthy: npt.NDArray[np.float64], faulty: npt.NDArray[np.float64]) -> dict[str, Any]:
        """AUC; windows to the first score that no healthy window reaches (those that there are, where none does), so
        that detectors are compared at equal false alarms; of ``bar``, which needs no judged window: those in 100."""
        above = np.flatnonzero(faulty > healthy.max())
        return {
            "auc": auc(healthy, faulty),
            "delay": int(above[0]) + 1 if above.size else len(faulty),
            "found": bool(above.size),
            "false alarms": 100 * float((healthy > self.bar).mean()),
        }


def auc(healthy: npt.NDArray[np.float64], faulty: npt.NDArray[np.float64]) -> float:
    """The probability that a faulty window scores above a healthy one; equal counts half."""
    below = (healthy[:, None] < faulty).sum() + 0.5 * (healthy[:, None] == faulty).sum()
    return float(below / (healthy.size * faulty.size))


def _model(seed: int) -> Iterator[dict[str, Any]]:
    """Half of the stretches of noise go into what is learnt, the other half into what is judged."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(still()))
    known, unknown = ([still()[k] for k in order[i::2]] for i in (0, 1))

    def running(count: int, held: Windows) -> npt.NDArray[np.float64]:
        return noise(count * WINDOW, random, held) + machine(count * WINDOW, random)

    learnt = windows(running(LEARNT, known), WINDOW)
    healthy = windows(running(JUDGED, unknown), WINDOW)
    faulty = {
        (fault, size): windows(running(JUDGED, unknown) + size * strikes(JUDGED * WINDOW, fault, random), WINDOW)
        for fault in FAULTS
        for size in SIZES
    }
    for name, (length, describe) in DETECTORS.items():
        detector = _Learnt(length, describe, learnt)
        normal = detector.scores(healthy)
        for (fault, size), given in faulty.items():
            yield {"detector": name, "fault": fault, "size": size, **detector.judged(normal, detector.scores(given))}


def _summary(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    areas, delays = [r["auc"] for r in found], [r["delay"] for r in found]
    return {
        "auc": {"mean": float(np.mean(areas)), "low": min(areas), "high": max(areas)},
        "delay": {"mean": float(np.mean(delays)), "low": min(delays), "high": max(delays)},
        "found": sum(r["found"] for r in found),
        "false alarms": float(np.mean([r["false alarms"] for r in found])),
    }
