"""Images, audio and video for tests: made on the spot, the same each time.

As a graph has them (IMAGE and AUDIO), as arrays of 8 bits, and as files.
"""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw

ORANGE, BLUE = (220, 120, 30), (30, 60, 200)

# IMAGE: float [B,H,W,C] from 0 to 1


def plain_images(count: int = 1, *, side: int = 240) -> Any:
    """IMAGE, a tensor: plain images `side` high and a little wider, from dark to light."""
    import torch

    greys = torch.linspace(0.2, 0.8, count)
    return greys[:, None, None, None].expand(count, side, side + 16, 3).clone()


def noise(side: int, *, seed: int = 7, block: int = 1) -> np.ndarray:
    """IMAGE, an array: a square of random blocks, which nothing packs well where they are single pixels."""
    cells = np.random.default_rng(seed).random((side // block, side // block, 3), np.float32)
    return cells.repeat(block, axis=0).repeat(block, axis=1)[None]


# Arrays [H,W,3] of 8 bits


def photo(width: int, height: int) -> np.ndarray:
    """Detail of every size, as photographs have."""
    random = np.random.default_rng(7)
    total = np.zeros((height, width, 3), np.float32)
    for cells in (3, 8, 20, 60, 180, max(width, height) // 2):
        shape = (max(2, cells * height // max(width, height)), max(2, cells * width // max(width, height)), 3)
        layer = Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8))
        total += np.asarray(layer.resize((width, height), Image.Resampling.BICUBIC), np.float32) / cells**0.75
    total -= total.min()
    return (total / total.max() * 255).astype(np.uint8)


def page(size: tuple[int, int] = (640, 360)) -> np.ndarray:
    """Lines of text."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for row in range(0, size[1], 12):
        draw.text((5, row), "The quick brown fox jumps over the lazy dog. " * 3, fill=(20, 20, 60))
    return np.asarray(image)


def flat_shapes(size: tuple[int, int] = (640, 360)) -> np.ndarray:
    """Rectangles and ellipses of one colour each."""
    image = Image.new("RGB", size, "white")
    draw, chance = ImageDraw.Draw(image), np.random.default_rng(2)
    for number in range(30):
        x, y, side = (int(chance.integers(0, most)) for most in (*size, 120))
        colour = tuple(int(level) for level in chance.integers(0, 256, 3))
        (draw.rectangle if number % 2 else draw.ellipse)((x, y, x + side, y + side), fill=colour)
    return np.asarray(image)


def slope(size: tuple[int, int] = (640, 360)) -> np.ndarray:
    """Colours that change evenly from one corner to the other."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    return np.stack([x * 255 // size[0], y * 255 // size[1], np.zeros_like(x)], -1).astype(np.uint8)


def bar(number: int, *, size: tuple[int, int] = (160, 96)) -> np.ndarray:
    """A wide bar on a slope of colours, elsewhere for each number."""
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(40, 200, width).astype(np.uint8)
    image[..., 2] = np.linspace(180, 60, height).astype(np.uint8)[:, None]
    left = number * 37 % (width - 24)
    image[height // 5 : height * 3 // 4, left : left + 24] = (240, 230, 30)
    return image


def plain(level: int | tuple[int, int, int], *, size: tuple[int, int] = (240, 240)) -> np.ndarray:
    """One colour; `size` is width and height."""
    return np.full((size[1], size[0], 3), level, np.uint8)


# Image files


def image_file(
    width: int = 400,
    height: int = 300,
    *,
    colours: Sequence[Any] = (ORANGE, BLUE),
    kind: str = "PNG",
    mode: str = "RGB",
) -> bytes:
    """An encoded image of stripes from left to right."""
    drawn = Image.new("RGB", (width, height))
    for place, colour in enumerate(colours):
        left = place * width // len(colours)
        drawn.paste(colour, (left, 0, (place + 1) * width // len(colours), height))
    return encoded(drawn.convert(mode), kind)


def encoded(image: Image.Image | np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    """An image as the bytes of a file."""
    out = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(out, kind, **options)
    return out.getvalue()


def data_uri(data: bytes, mime: str = "image/jpeg") -> str:
    """A file as a data URI."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


# Audio


def tone(hertz: float = 440.0, seconds: float = 3.0, *, rate: int = 8000, loudness: float = 0.5) -> np.ndarray:
    """Samples [T] of a sine, from -1 to 1."""
    times = np.arange(round(seconds * rate)) / rate
    return (loudness * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def audio(*channels: Any, rate: int = 8000) -> dict[str, Any]:
    """AUDIO of one channel after another, samples [T] each; a tone of 3 s where none is given."""
    import torch

    given = channels or (tone(rate=rate),)
    return {
        "waveform": torch.stack([torch.as_tensor(one, dtype=torch.float32) for one in given])[None],
        "sample_rate": rate,
    }


def wav(samples: Any, *, rate: int = 8000) -> bytes:
    """A WAV file of 16 bits: samples [T] or [T,C] from -1 to 1, or so many seconds of a soft tone."""
    if isinstance(samples, int | float):
        samples = tone(rate / 25, samples, rate=rate, loudness=0.25)
    levels = (np.asarray(samples) * 32767).astype("<i2")
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1 if levels.ndim == 1 else levels.shape[1], 2, rate, 0, "NONE", ""))
        file.writeframes(levels.tobytes())
    return out.getvalue()


def read_wav(data: bytes) -> tuple[np.ndarray, int]:
    """The samples [T,C] of a WAV file of 16 bits, and its rate."""
    with wave.open(io.BytesIO(data)) as file:
        assert file.getsampwidth() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples.reshape(-1, file.getnchannels()), file.getframerate()


def pitch(samples: np.ndarray, rate: int) -> float:
    """The loudest frequency in hertz."""
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples))


# Video


def grey_frame(level: int, *, size: tuple[int, int]) -> av.VideoFrame:
    """A frame of exactly that brightness."""
    frame = av.VideoFrame(*size, "yuv420p")
    for plane, value in zip(frame.planes, (level, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


def video(
    target: Path | io.BytesIO,
    frames: Iterable[np.ndarray | av.VideoFrame],
    *,
    fps: int | Fraction = 30,
    codec: str = "libx264",
    container: str | None = None,
    pix_fmt: str = "yuv420p",
    times: Sequence[int] = (),
    sound: np.ndarray | None = None,
    layout: str = "stereo",
    options: dict[str, str] | None = None,
    movflags: str = "",
    metadata: dict[str, str] | None = None,
    **codec_context: Any,
) -> Any:
    """Write a video of frames, arrays [H,W,3] of 8 bits or PyAV's own, and return `target`.

    `times` are the frames' in milliseconds, evenly apart where there are none. `sound` are samples at 48 kHz, the same
    in each channel. `options` are the encoder's; what is left over is set on its context.
    """
    images = iter(frames)
    first = next(images)
    base = Fraction(1, 1000) if times else 1 / Fraction(fps)
    if isinstance(target, Path):
        target.parent.mkdir(parents=True, exist_ok=True)
    file = str(target) if isinstance(target, Path) else target
    with av.open(file, "w", format=container, container_options={"movflags": movflags} if movflags else {}) as output:
        output.metadata.update(metadata or {})
        stream = output.add_stream(codec, rate=fps, options=options or {})
        if isinstance(first, av.VideoFrame):
            stream.width, stream.height = first.width, first.height
        else:
            stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = pix_fmt
        for name, value in codec_context.items():
            setattr(stream.codec_context, name, value)
        if times:
            stream.codec_context.time_base = base
        track = output.add_stream("aac", rate=48000, layout=layout) if sound is not None else None
        for index, image in enumerate(_chained(first, images)):
            frame = image if isinstance(image, av.VideoFrame) else av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = frame.reformat(format=pix_fmt)
            frame.pts, frame.time_base = times[index] if times else index, base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if track is not None:
            _add_sound(output, track, sound)
    return target


def _chained(first: Any, rest: Iterable[Any]) -> Iterable[Any]:
    yield first
    yield from rest


def _add_sound(output: Any, track: Any, sound: np.ndarray) -> None:
    """Encode samples into a track, and end it."""
    channels = len(track.layout.channels)
    for start in range(0, len(sound), 1024):
        samples = np.stack([sound[start : start + 1024]] * channels).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=track.layout.name)
        frame.sample_rate, frame.pts = 48000, start
        output.mux(track.encode(frame))
    output.mux(track.encode(None))


def clip(
    target: Path,
    *,
    seconds: float = 3.0,
    size: tuple[int, int] = (320, 240),
    codec: str = "mpeg4",
    container: str | None = None,
) -> Path:
    """A small video file, ten frames a second, each a little brighter; `size` is its width and height in pixels."""
    frames = (plain(min(255, 40 + 2 * index), size=size) for index in range(round(seconds * 10)))
    return video(target, frames, fps=10, codec=codec, container=container, options={"crf": "40"})
