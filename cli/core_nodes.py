"""Small versions of the ComfyUI nodes that the pack's workflows use beside its own: same ids, inputs and outputs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import torch

from . import decode
from .errors import StandaloneError, text_of
from .folders import Folders
from .messages import Message
from .schema import NodeClass

InputSpecs = dict[str, tuple[Any, ...]]
_MOST_PIXELS = 16384
_SIZE: InputSpecs = {name: ("INT", {"default": 512, "min": 1, "max": _MOST_PIXELS}) for name in ("width", "height")}


def core_nodes(folders: Folders, *, video_from_file: Callable[[Path], Any]) -> dict[str, NodeClass]:
    """Every class by its id, working in these folders. `video_from_file(path)` makes a VIDEO."""
    bound = {"folders": folders, "video_from_file": video_from_file}
    return {name: type(name, (node_class,), bound) for name, node_class in _CLASSES.items()}


class CoreNode:
    """What the classes share. `core_nodes` gives them their folders."""

    folders: ClassVar[Folders]
    video_from_file: ClassVar[Callable[[Path], Any]]

    REQUIRED: ClassVar[InputSpecs] = {}
    RETURN_TYPES: ClassVar[tuple[str, ...]] = ()
    FUNCTION = "run"
    CATEGORY = "standalone"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, InputSpecs]:  # noqa: N802  ComfyUI's name
        """The inputs, as V1 declares them."""
        return {"required": dict(cls.REQUIRED)}


class _Loader(CoreNode):
    """A node that names a file, which must be there before anything runs. Its combo lists nothing: any path will do."""

    FILE_INPUT: ClassVar[str]

    @classmethod
    def VALIDATE_INPUTS(cls, **inputs: Any) -> bool | str:  # noqa: N802  ComfyUI's name
        """True, or why the file cannot be had. A linked name is not known yet."""
        name = inputs[cls.FILE_INPUT]
        try:
            return name is None or bool(cls.folders.find_input(name))
        except StandaloneError as error:
            return text_of(error)


class LoadImage(_Loader):
    """An image file as IMAGE and MASK."""

    FILE_INPUT = "image"
    REQUIRED: ClassVar[InputSpecs] = {"image": ([], {"image_upload": True})}
    RETURN_TYPES = ("IMAGE", "MASK")

    def run(self, *, image: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Read it."""
        return decode.image(self.folders.find_input(image))


class LoadAudio(_Loader):
    """An audio file, or a video's audio, as AUDIO."""

    FILE_INPUT = "audio"
    REQUIRED: ClassVar[InputSpecs] = {"audio": ([], {"audio_upload": True})}
    RETURN_TYPES = ("AUDIO",)

    def run(self, *, audio: str) -> tuple[decode.Audio]:
        """Read it."""
        path = self.folders.find_input(audio)
        found = decode.audio(path)
        if found is None:
            raise StandaloneError(Message("{path} has no sound", path=path))
        return (found,)


class LoadVideo(_Loader):
    """A video file as VIDEO, not decoded yet."""

    FILE_INPUT = "file"
    REQUIRED: ClassVar[InputSpecs] = {"file": ([], {"video_upload": True})}
    RETURN_TYPES = ("VIDEO",)

    def run(self, *, file: str) -> tuple[Any]:
        """Point at it."""
        return (type(self).video_from_file(self.folders.find_input(file)),)


class GetVideoComponents(CoreNode):
    """A VIDEO's images, audio (None where it has none) and frame rate."""

    REQUIRED: ClassVar[InputSpecs] = {"video": ("VIDEO",)}
    RETURN_TYPES = ("IMAGE", "AUDIO", "FLOAT")
    RETURN_NAMES = ("images", "audio", "fps")

    def run(self, *, video: Any) -> tuple[torch.Tensor, decode.Audio | None, float]:
        """Decode it."""
        images, rate = decode.frames(video.get_stream_source())
        return images, decode.audio(video.get_stream_source()), rate


class ImageFromBatch(CoreNode):
    """Some images out of a batch."""

    REQUIRED: ClassVar[InputSpecs] = {
        "image": ("IMAGE",),
        "batch_index": ("INT", {"default": 0, "min": 0, "max": 4095}),
        "length": ("INT", {"default": 1, "min": 1, "max": 4096}),
    }
    RETURN_TYPES = ("IMAGE",)

    def run(self, *, image: torch.Tensor, batch_index: int, length: int) -> tuple[torch.Tensor]:
        """Cut them out; an index behind the end means the last image."""
        start = min(batch_index, len(image) - 1)
        return (image[start : start + length].clone(),)


class RepeatImageBatch(CoreNode):
    """A batch several times over."""

    REQUIRED: ClassVar[InputSpecs] = {"image": ("IMAGE",), "amount": ("INT", {"default": 1, "min": 1, "max": 4096})}
    RETURN_TYPES = ("IMAGE",)

    def run(self, *, image: torch.Tensor, amount: int) -> tuple[torch.Tensor]:
        """Repeat it."""
        return (image.repeat(amount, 1, 1, 1),)


class ImageBatch(CoreNode):
    """Two batches as one. The second takes the first one's size."""

    REQUIRED: ClassVar[InputSpecs] = {"image1": ("IMAGE",), "image2": ("IMAGE",)}
    RETURN_TYPES = ("IMAGE",)

    def run(self, *, image1: torch.Tensor, image2: torch.Tensor) -> tuple[torch.Tensor]:
        """Join them."""
        _, height, width, _ = image1.shape
        if image2.shape[1:3] != image1.shape[1:3]:
            image2 = decode.fitted(image2, height=height, width=width)
        return (torch.cat((image1, image2)),)


class ImageScale(CoreNode):
    """Images in another size. A side of 0 follows the other one."""

    REQUIRED: ClassVar[InputSpecs] = {
        "image": ("IMAGE",),
        "upscale_method": (list(decode.SCALINGS),),
        "width": ("INT", {"default": 512, "min": 0, "max": _MOST_PIXELS}),
        "height": ("INT", {"default": 512, "min": 0, "max": _MOST_PIXELS}),
        "crop": (["disabled", "center"],),
    }
    RETURN_TYPES = ("IMAGE",)

    def run(
        self, *, image: torch.Tensor, upscale_method: str, width: int, height: int, crop: str
    ) -> tuple[torch.Tensor]:
        """Scale them, stretched or cut in their middle."""
        if width == height == 0:
            return (image,)
        _, rows, columns, _ = image.shape
        size = {
            "width": width or max(1, round(columns * height / rows)),
            "height": height or max(1, round(rows * width / columns)),
        }
        scale = decode.fitted if crop == "center" else decode.scaled
        return (scale(image, **size, method=upscale_method),)


class ImageCrop(CoreNode):
    """A part of an image; what would reach over its edge is left out."""

    REQUIRED: ClassVar[InputSpecs] = {
        "image": ("IMAGE",),
        **_SIZE,
        "x": ("INT", {"default": 0, "min": 0, "max": _MOST_PIXELS}),
        "y": ("INT", {"default": 0, "min": 0, "max": _MOST_PIXELS}),
    }
    RETURN_TYPES = ("IMAGE",)

    def run(self, *, image: torch.Tensor, width: int, height: int, x: int, y: int) -> tuple[torch.Tensor]:
        """Cut it out."""
        left, top = min(x, image.shape[2] - 1), min(y, image.shape[1] - 1)
        return (image[:, top : top + height, left : left + width],)


class EmptyImage(CoreNode):
    """Images of one colour, which is a number 0xRRGGBB."""

    REQUIRED: ClassVar[InputSpecs] = {
        **_SIZE,
        "batch_size": ("INT", {"default": 1, "min": 1, "max": 4096}),
        "color": ("INT", {"default": 0, "min": 0, "max": 0xFFFFFF}),
    }
    RETURN_TYPES = ("IMAGE",)

    def run(self, *, width: int, height: int, batch_size: int, color: int) -> tuple[torch.Tensor]:
        """Paint them."""
        levels = torch.tensor([(color >> shift & 0xFF) / 0xFF for shift in (16, 8, 0)])
        return (levels.repeat(batch_size, height, width, 1),)


class ImageBlend(CoreNode):
    """Two images, one over the other. The second takes the first one's size."""

    REQUIRED: ClassVar[InputSpecs] = {
        "image1": ("IMAGE",),
        "image2": ("IMAGE",),
        "blend_factor": ("FLOAT", {"default": 0.5, "min": 0.0, "max": 1.0}),
        "blend_mode": (["normal", "multiply", "screen"],),
    }
    RETURN_TYPES = ("IMAGE",)

    def run(self, *, image1: Any, image2: Any, blend_factor: float, blend_mode: str) -> tuple[torch.Tensor]:
        """Blend them."""
        if image2.shape[1:3] != image1.shape[1:3]:
            image2 = decode.fitted(image2, height=image1.shape[1], width=image1.shape[2])
        modes = {"normal": image2, "multiply": image1 * image2, "screen": 1 - (1 - image1) * (1 - image2)}
        return (torch.lerp(image1, modes[blend_mode], blend_factor).clamp(0, 1),)


class SaveImage(CoreNode):
    """Images as PNG files in the output folder."""

    REQUIRED: ClassVar[InputSpecs] = {"images": ("IMAGE",), "filename_prefix": ("STRING", {"default": "ComfyUI"})}
    OUTPUT_NODE = True
    KIND: ClassVar[str] = "output"

    def run(self, *, images: torch.Tensor, filename_prefix: str = "ComfyUI") -> dict[str, Any]:
        """Write them, and say where."""
        folder = self.folders.temp if self.KIND == "temp" else self.folders.output
        paths = [self._save(image, folder, prefix=filename_prefix) for image in images]
        root = folder.resolve()
        shown = [
            {
                "filename": path.name,
                "subfolder": "" if path.parent == root else path.parent.relative_to(root).as_posix(),
                "type": self.KIND,
            }
            for path in paths
        ]
        return {"ui": {"images": shown}}

    def _save(self, image: torch.Tensor, folder: Path, *, prefix: str) -> Path:
        path = self.folders.new_file(folder, prefix, suffix=".png")
        decode.save_png(image, path)
        return path


class PreviewImage(SaveImage):
    """Images as PNG files in the temporary folder."""

    REQUIRED: ClassVar[InputSpecs] = {"images": ("IMAGE",)}
    KIND = "temp"


class PreviewAny(CoreNode):
    """Shows any value as text."""

    REQUIRED: ClassVar[InputSpecs] = {"source": ("*", {})}
    OUTPUT_NODE = True

    def run(self, *, source: Any) -> dict[str, Any]:
        """The value as it is, or as JSON, or as Python prints it."""
        if isinstance(source, str):
            return {"ui": {"text": (source,)}}
        try:
            text = json.dumps(source)
        except (TypeError, ValueError):
            text = str(source)
        return {"ui": {"text": (text,)}}


def _primitive(kind: str, **options: Any) -> type[CoreNode]:
    class Primitive(CoreNode):
        """A constant as a node."""

        REQUIRED: ClassVar[InputSpecs] = {"value": (kind, options)}
        RETURN_TYPES = (kind,)

        def run(self, *, value: Any) -> tuple[Any]:
            """Give it on."""
            return (value,)

    return Primitive


_SAME_NAME: tuple[type[CoreNode], ...] = (
    *(LoadImage, LoadAudio, LoadVideo, GetVideoComponents, ImageFromBatch, RepeatImageBatch),
    *(ImageBatch, ImageScale, ImageCrop, EmptyImage, ImageBlend, SaveImage, PreviewImage, PreviewAny),
)
_CLASSES: dict[str, type[CoreNode]] = {
    **{one.__name__: one for one in _SAME_NAME},
    "PrimitiveString": _primitive("STRING"),
    "PrimitiveStringMultiline": _primitive("STRING", multiline=True),
    "PrimitiveInt": _primitive("INT", min=-sys.maxsize, max=sys.maxsize),
    "PrimitiveFloat": _primitive("FLOAT", min=-sys.maxsize, max=sys.maxsize),
    "PrimitiveBoolean": _primitive("BOOLEAN"),
}
