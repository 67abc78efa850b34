"""A device in simulated time: its clock, a battery that the sun charges through random weather, and its temperature."""

from __future__ import annotations

from math import pi, sin

import numpy as np

from .senses import Charge

DAY = 86_400.0


class SimulatedClock:
    """Time passes when it is told to. :meth:`jump`: the wall clock is set; :meth:`restart`: the device starts anew."""

    def __init__(self, wall: float = 0.0) -> None:
        self.true = 0.0  # seconds that have really passed
        self._wall, self._ticks, self._boot = wall, 0.0, 1

    def wall(self) -> float:
        return self._wall

    def ticks(self) -> float:
        return self._ticks

    def boot(self) -> int:
        return self._boot

    def pass_time(self, seconds: float) -> None:
        self.true += seconds
        self._wall += seconds
        self._ticks += seconds

    def jump(self, seconds: float) -> None:
        """The wall clock is set forth, or back."""
        self._wall += seconds

    def restart(self, off: float = 0.0, kept: bool = True) -> None:
        """Off for so many seconds; without a clock that is ``kept`` the wall stands still meanwhile."""
        self.true += off
        self._wall += off if kept else 0.0
        self._ticks, self._boot = 0.0, self._boot + 1


class Weather:
    """Clouds and temperature, drawn day by day.

    The clearness of a day (0..1) is a Markov chain: 0.6 of the day before and 0.4 of a fresh uniform one. Light is a
    half sine from 6 to 18 h. Temperature: ``mean``, a sine of ``swing`` that is highest at 15 h, and a daily offset.
    """

    def __init__(self, rng: np.random.Generator, mean: float = 15.0, swing: float = 8.0) -> None:
        self._rng, self._mean, self._swing = rng, mean, swing
        self._day, self._clear, self._offset = -1, 0.5, 0.0

    def light(self, seconds: float) -> float:
        """The share of full sun at a moment that is not before the last one asked for."""
        self._to(seconds)
        hour = (seconds % DAY) / 3600
        return self._clear * sin(pi * (hour - 6) / 12) if 6 < hour < 18 else 0.0

    def celsius(self, seconds: float) -> float:
        self._to(seconds)
        return self._mean + self._offset + self._swing * sin(2 * pi * ((seconds % DAY) / DAY - 0.375))

    def _to(self, seconds: float) -> None:
        while self._day < int(seconds // DAY):
            self._day += 1
            self._clear = 0.6 * self._clear + 0.4 * float(self._rng.random())
            self._offset = 0.7 * self._offset + float(self._rng.normal(0, 3))


class SolarBattery:
    """Holds ``full`` joules and is charged by ``watts`` in full sun; :meth:`pass_time` moves it, :meth:`draw` takes."""

    def __init__(self, full: float, watts: float, weather: Weather, clock: SimulatedClock, share: float = 0.5) -> None:
        self.full, self.held = full, full * share
        self._watts, self._weather, self._clock, self._flow = watts, weather, clock, 0.0

    def pass_time(self, seconds: float) -> None:
        """What the sun gives in the ``seconds`` up to now."""
        self._flow = self._watts * self._weather.light(self._clock.true)
        self.held = min(self.full, self.held + self._flow * seconds)

    def draw(self, joules: float) -> bool:
        """Whether it had as much. Where it had not it is empty."""
        had = joules <= self.held
        self.held = max(0.0, self.held - joules)
        return had

    def read(self) -> Charge:
        return Charge(self.held / self.full, self.held, self._flow > 0)


class SimulatedThermometer:
    """The weather's, and ``warmer``: what the device itself adds, which a simulation sets."""

    def __init__(self, weather: Weather, clock: SimulatedClock) -> None:
        self._weather, self._clock = weather, clock
        self.warmer = 0.0

    def celsius(self) -> float:
        return self._weather.celsius(self._clock.true) + self.warmer
