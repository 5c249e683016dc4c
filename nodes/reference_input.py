"""The references of a node: images, clips and sounds, in the order of their sockets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..wan.catalog.media import EDITED_VIDEO, REFERENCE_AUDIO, REFERENCE_IMAGE, REFERENCE_VIDEO
from ..wan.catalog.spec import Model
from ..wan.errors import InvalidRequest
from ..wan.messages import Message
from ..wan.tasks.media import Reference
from . import video_input

_BATCH_DIMENSIONS = 4


def references(given: Mapping[str, Any], voices: Sequence[Any] = ()) -> list[Reference]:
    """Return the references of sockets, by their names; those that are not connected are left out.

    An IMAGE batch is as many references as it has images. `voices` are the AUDIOs of the first sockets, or None.

    Raises:
        InvalidRequest: a value is none of IMAGE, VIDEO and AUDIO, or a voice belongs to no single reference.
    """
    found: list[Reference] = []
    problems: list[str] = []
    for number, (name, value) in enumerate(given.items(), 1):
        one = _of_socket(name, value) if value is not None else []
        voice = voices[number - 1] if number <= len(voices) else None
        if value is not None and not one:
            problems.append(
                Message("{input}: {problem}", input=name, problem=Message("the batch is empty"))
                if _is_image(value)
                else Message(
                    "{input}: must be an IMAGE, a VIDEO or an AUDIO, not {type}", input=name, type=type(value).__name__
                )
            )
        if voice is not None and len(one) == 1 and one[0].kind != REFERENCE_AUDIO:
            one = [_with_voice(one[0], voice, f"voice_{number}")]
        elif voice is not None:
            problems.append(
                Message(
                    "{input}: {reference} must be one image or one clip",
                    input=f"voice_{number}",
                    reference=Message("{input}", input=name),
                )
            )
        found += one
    if problems:
        raise InvalidRequest(problems)
    return found


def edit_references(row: Model | None, video: Any, path: str, url: str, images: Mapping[str, Any]) -> list[Reference]:
    """Return the clip to edit, from a VIDEO or a path, and the images; with a URL, the images alone.

    `row` is the model's, None if there is no such model.

    Raises:
        InvalidRequest: there is no clip, or more than one; or a value is no IMAGE.
    """
    problems = [
        Message("{input}: must be an IMAGE, not {type}", input=name, type=type(value).__name__)
        for name, value in images.items()
        if value is not None and not _is_image(value)
    ]
    if sum((video is not None, bool(path), bool(url))) != 1:
        problems.append(Message("video: use one of video, video_path and video_url"))
    if problems:
        raise InvalidRequest(problems)
    kind = REFERENCE_VIDEO if row and row.accepts(REFERENCE_VIDEO) else EDITED_VIDEO
    return [*([] if url else [clip_reference(kind, video, path)]), *references(images)]


def clip_reference(kind: str, video: Any, path: str) -> Reference:
    """Return the clip of a VIDEO or of a path as the reference of a kind."""
    open_clip = partial(video_input.resolve_video, video, path, cut=True)
    return Reference(kind, "video_path" if path else "video", open_clip=open_clip)


def one_image(name: str, value: Any) -> Any:
    """Return an IMAGE with one image, or None.

    Raises:
        InvalidRequest: it is a batch of several.
    """
    if _is_image(value) and len(value) > 1:
        raise InvalidRequest(
            [Message("{input}: a batch of {count} images; pass one image", input=name, count=len(value))]
        )
    return value


def _is_image(value: Any) -> bool:
    return hasattr(value, "shape") and len(value.shape) == _BATCH_DIMENSIONS


def _of_socket(name: str, value: Any) -> list[Reference]:
    """Return what a socket's value is: a reference for each image of a batch, none if it is of another type."""
    if hasattr(value, "get_stream_source"):
        open_clip = partial(video_input.resolve_video, value, "", cut=True, name=name)
        return [Reference(REFERENCE_VIDEO, name, open_clip=open_clip)]
    if isinstance(value, Mapping) and "waveform" in value:
        return [Reference(REFERENCE_AUDIO, name, audio=value)]
    if _is_image(value):
        return [Reference(REFERENCE_IMAGE, name, image=image) for image in value]
    return []


def _with_voice(one: Reference, voice: Any, name: str) -> Reference:
    return Reference(one.kind, one.name, one.image, one.open_clip, one.audio, voice, name)
