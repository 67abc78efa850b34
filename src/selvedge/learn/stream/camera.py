"""Frames of a camera, or of a video file, by OpenCV where it is installed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from ...artifact.features import Features, Picture
from ...errors import InvalidInput, NotSupported
from .sample import Face, Sample


class Camera:
    """``camera:0``, or ``camera:/dev/video2``: a frame every ``every`` seconds, without a class."""

    seekable = False

    def __init__(self, which: str, face: Face, features: Features | None, *, every: float = 1.0) -> None:
        """Raises ``NotSupported`` without OpenCV, ``InvalidInput`` for a camera that gives no picture, and for a model
        that learnt from something else than images."""
        try:
            import cv2
        except ImportError:
            raise NotSupported("a camera", "", "pip install opencv-python-headless") from None
        if not isinstance(features, Picture):
            raise InvalidInput("stream", f"camera:{which}", "this model did not learn from images")
        self.name, self._face, self._picture, self._every, self._from = f"camera:{which}", face, features, every, 0
        self._cv2 = cv2
        self._device = cv2.VideoCapture(int(which) if which.isdecimal() else which)
        if not self._device.isOpened():
            raise InvalidInput("stream", self.name, "there is no camera, or another program has it")

    def seek(self, position: int) -> None:
        self._from = position

    def done(self, number: int) -> None:
        """What a camera saw does not come again."""

    def close(self) -> None:
        self._device.release()

    def __iter__(self) -> Iterator[Sample]:
        from PIL import Image

        picture, number = self._picture, self._from
        while True:
            began = time.monotonic()
            found, frame = self._device.read()
            if not found:
                return
            grey = picture.channels == 1
            code = self._cv2.COLOR_BGR2GRAY if grey else self._cv2.COLOR_BGR2RGB
            image = Image.fromarray(self._cv2.cvtColor(frame, code))
            image = image.resize((picture.width, picture.height), Image.Resampling.BILINEAR)  # as of image files
            pixels = np.asarray(image, np.uint8).reshape(picture.height, picture.width, picture.channels)
            x = pixels.transpose(2, 0, 1).reshape(picture.shape).astype(self._face.dtype)
            yield Sample(number, time.time(), x)
            number += 1
            time.sleep(max(0.0, self._every - (time.monotonic() - began)))
