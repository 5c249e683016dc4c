"""Image, audio and video files as ComfyUI's tensors."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, TypedDict

import av
import numpy as np
import torch
from PIL import Image, ImageFile, ImageOps

from .errors import StandaloneError
from .messages import Message

# What holds the audio or the video itself: a playlist, for one, could name any other file or URL.
_FORMATS = "mov,matroska,avi,mpegts,mpeg,flv,gif,ogg,asf,wav,w64,aiff,caf,mp3,flac,aac"
_ONLY = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
SCALINGS = ("nearest-exact", "bilinear", "area", "bicubic", "lanczos")


class Audio(TypedDict):
    """ComfyUI's AUDIO: `waveform` [1, channels, samples], float32."""

    waveform: torch.Tensor
    sample_rate: int


def image(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """An image's first frame, turned upright: IMAGE [1, H, W, 3] in 0..1, and its MASK, 1 where it is transparent.

    Without transparency the mask is 64x64 zeros, as in ComfyUI.
    """
    try:
        upright = _upright(path)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise StandaloneError(
            Message("{path} cannot be read as a picture: {reason}", path=path, reason=error)
        ) from error
    mask = torch.zeros((1, 64, 64))
    if upright.has_transparency_data:
        alpha = np.array(upright.convert("RGBA").getchannel("A"), dtype=np.float32)
        mask = 1 - torch.from_numpy(alpha / 255)[None]
    return _rgb(upright)[None], mask


def _upright(path: Path) -> Image.Image:
    """Open an image. As in ComfyUI what is damaged gets a second try, in which Pillow takes what is there of it.

    To Pillow a colour profile or a text of over 1 MB is damage too.
    """
    try:
        return _opened(path)
    except (OSError, ValueError):
        before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
        try:
            return _opened(path)
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        upright = ImageOps.exif_transpose(opened)
        upright.load()
        return upright


def _rgb(image: Image.Image) -> torch.Tensor:
    if image.mode.startswith("I"):
        # Pillow would cut 16 bits off at 255 instead of scaling them.
        grey = torch.from_numpy(np.array(image, dtype=np.float32)) / 65535
        return grey[..., None].repeat(1, 1, 3)
    return torch.from_numpy(np.array(image.convert("RGB"), dtype=np.float32)) / 255


def audio(source: Path | str | io.BytesIO) -> Audio | None:
    """A file's first audio track at its own rate, or None where it has none."""
    with av.open(_openable(source), container_options=dict(_ONLY)) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        rate = int(stream.rate)
        # Every sample format there is, as float32 with one row per channel.
        resampler = av.AudioResampler(format="fltp")
        decoded = [part for frame in container.decode(stream) for part in resampler.resample(frame)]
        decoded += resampler.resample(None) if decoded else []
    if not decoded:
        return None
    waveform = np.concatenate([frame.to_ndarray() for frame in decoded], axis=1)
    return {"waveform": torch.from_numpy(waveform)[None], "sample_rate": rate}


def frames(source: Path | str | io.BytesIO) -> tuple[torch.Tensor, float]:
    """A video's images, IMAGE [N, H, W, 3] in 0..1, and its frame rate."""
    with av.open(_openable(source), container_options=dict(_ONLY)) as container:
        if not container.streams.video:
            raise StandaloneError(Message("{source} has no video track", source=source))
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 1)
        # Kept as bytes until their number is known: as floats every frame is four times its size.
        images = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    return _stacked(images), rate


def _stacked(images: list[Any]) -> torch.Tensor:
    if not images:
        raise StandaloneError(Message("the video has no pictures"))
    stacked = torch.empty((len(images), *images[0].shape), dtype=torch.float32)
    for index, frame in enumerate(images):
        stacked[index] = torch.from_numpy(frame)
    return stacked.div_(255)


def fitted(images: torch.Tensor, *, height: int, width: int, method: str = "bilinear") -> torch.Tensor:
    """IMAGE scaled and cut in its middle to another size, nothing of it stretched."""
    scale = max(height / images.shape[1], width / images.shape[2])
    keep_height, keep_width = round(height / scale), round(width / scale)
    top, left = (images.shape[1] - keep_height) // 2, (images.shape[2] - keep_width) // 2
    kept = images[:, top : top + keep_height, left : left + keep_width]
    return scaled(kept, height=height, width=width, method=method)


def scaled(images: torch.Tensor, *, height: int, width: int, method: str) -> torch.Tensor:
    """IMAGE stretched to another size. `method` is one of SCALINGS."""
    if method == "lanczos":
        pil_images = [_image(image).resize((width, height), Image.Resampling.LANCZOS) for image in images]
        return torch.stack([_rgb(pil_image) for pil_image in pil_images])
    return torch.nn.functional.interpolate(images.movedim(-1, 1), size=(height, width), mode=method).movedim(1, -1)


def save_png(image: torch.Tensor, path: Path) -> None:
    """Write one image [H, W, 3 or 4] in 0..1."""
    _image(image).save(path, format="PNG")


def _image(image: torch.Tensor) -> Image.Image:
    return Image.fromarray((image.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy())


def _openable(source: Path | str | io.BytesIO) -> str | io.BytesIO:
    if isinstance(source, io.BytesIO):
        source.seek(0)
        return source
    return str(source)
