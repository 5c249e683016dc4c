"""A small JPEG of a video's first frame."""

from __future__ import annotations

import io

import numpy as np

from ..errors import MediaError
from ..messages import Message
from .container import Source, display_name, first_video_stream, open_video
from .last_frame import to_image

POSTER_SIDE = 320
"""Pixels of a poster's longer side, at most."""

_QUALITY = 80


def poster(source: Source, *, side: int = POSTER_SIDE) -> bytes:
    """Return the first frame of a video as a JPEG whose longer side has at most `side` pixels.

    One frame is decoded. The file's rotation is applied.

    Raises:
        MediaError: the file is missing, damaged, no video, or without frames.
    """
    from PIL import Image

    name = display_name(source)
    with open_video(source) as container:
        stream = first_video_stream(container, name=name)
        frame = next(container.decode(stream), None)
        if frame is None:
            raise MediaError(Message("{name} has no frames that can be decoded.", name=name))
        scale = min(1.0, side / max(frame.width, frame.height))
        size = (max(2, round(frame.width * scale)), max(2, round(frame.height * scale)))
        pixels = to_image(frame, size=size)
    file = io.BytesIO()
    Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
