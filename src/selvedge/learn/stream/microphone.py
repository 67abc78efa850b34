"""Stretches of sound from a microphone, by sounddevice where it is installed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from ...artifact.features import Features, LogMel, Waveform
from ...data.raw import normalised
from ...data.sound import raw
from ...errors import InvalidInput, NotSupported
from .sample import Face, Sample


class Microphone:
    """``microphone:``, or ``microphone:NAME``: one stretch of the model's length after the other, without a class."""

    seekable = False

    def __init__(self, which: str, face: Face, features: Features | None) -> None:
        """Raises ``NotSupported`` without sounddevice, ``InvalidInput`` for a device that is not there, and for a model
        that learnt from something else than sounds."""
        try:
            import sounddevice
        except (ImportError, OSError):  # OSError: it is there, and PortAudio is not
            raise NotSupported("a microphone", "", "pip install sounddevice, and install PortAudio") from None
        if not isinstance(features, LogMel | Waveform):
            raise InvalidInput("stream", f"microphone:{which}", "this model did not learn from sounds")
        self.name, self._face, self._features, self._from = f"microphone:{which}", face, features, 0
        try:
            self._device = sounddevice.InputStream(
                samplerate=features.rate, channels=1, dtype="float32", device=which or None
            )
            self._device.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise InvalidInput("stream", self.name, f"no sound comes from there ({error})") from None

    def seek(self, position: int) -> None:
        self._from = position

    def done(self, number: int) -> None:
        """What was heard does not come again."""

    def close(self) -> None:
        self._device.close()

    def __iter__(self) -> Iterator[Sample]:
        number = self._from
        while True:
            sound, _ = self._device.read(self._features.samples)
            made = raw(np.ascontiguousarray(sound[:, 0]), self._features)
            x = normalised(made, self._features.mean, self._features.std)
            yield Sample(number, time.time(), x.astype(self._face.dtype))
            number += 1
