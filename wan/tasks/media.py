"""The references of a batch: images, clips and sounds that its videos do not begin or end with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..catalog.media import DRIVING_AUDIO, EDITED_VIDEO, REFERENCE_AUDIO, VOICE, ClipLimits
from ..catalog.models import AUDIO_BYTES
from ..catalog.regions import Region
from ..catalog.spec import Model, media_key, voice_key
from ..errors import InvalidRequest, MediaError
from ..frozen import frozen
from ..media.audio import audio_seconds, validate_audio
from ..media.container import Source
from ..media.image import validate_images
from ..media.video import Clip, read_clip, validate_clip
from ..messages import Message, enumeration

OpenClip = Callable[[], Source]
"""Returns the file of a clip. Blocking."""


@frozen
class Reference:
    """One medium of a request that its video does not begin or end with: an image, a clip or a sound.

    `kind` is the service's, `name` the node's input. It has one of `image`, float [H,W,C], `open_clip` and `audio`, a
    ComfyUI AUDIO. `voice` is the AUDIO of its voice, or None, from the input `voice_name`.
    """

    kind: str
    name: str
    image: Any = None
    open_clip: OpenClip | None = None
    audio: Mapping[str, Any] | None = None
    voice: Mapping[str, Any] | None = None
    voice_name: str = ""


def with_keys(references: Sequence[Reference]) -> Iterator[tuple[str, Reference]]:
    """Yield references by `media_key`, and after each its voice, by `voice_key`, as a reference of its own."""
    numbers: Counter[str] = Counter()
    for one in references:
        numbers[one.kind] += 1
        key = media_key(one.kind, numbers[one.kind])
        yield key, one
        if one.voice is not None:
            yield voice_key(key), Reference(one.kind, one.voice_name, audio=one.voice)


def reference_problems(media: Sequence[tuple[str, Reference]], rules: Model) -> list[str]:
    """Return the problems of the images and sounds among references. Blocking."""
    limits = rules.image_limits
    problems: list[str] = []
    for key, one in media:
        if one.image is not None:
            problems += validate_images(one.image[None], sides=limits.sides, ratio=limits.ratio, name=one.name)
        if one.audio is not None:
            seconds = rules.voice_seconds if VOICE in key and rules.voice_seconds else rules.audio_seconds
            problems += validate_audio(one.audio, seconds=seconds, max_bytes=AUDIO_BYTES, name=one.name)
    return problems or _sound_problems(media, rules)


def _sound_problems(media: Sequence[tuple[str, Reference]], rules: Model) -> list[str]:
    """Return the problem of valid sounds that are too long together."""
    total = sum(audio_seconds(one.audio) for _, one in media if one.kind == REFERENCE_AUDIO and one.audio)
    if not rules.audio_total or round(total, 1) <= rules.audio_total:
        return []
    return [
        Message(
            "references: {seconds:.1f} s of sounds are too long; use at most {most} s together",
            seconds=total,
            most=rules.audio_total,
        )
    ]


def read_clips(given: Sequence[tuple[str, str, OpenClip]], *, limits: ClipLimits) -> tuple[dict[str, Clip], list[str]]:
    """Return the clips by key, and their problems. Those that cannot be read are missing.

    `given` has the key of each clip, the node's input, and what returns its file.
    """
    clips: dict[str, Clip] = {}
    problems: list[str] = []
    for key, name, open_clip in given:
        try:
            clips[key] = clip = read_clip(open_clip(), limits=limits)
        except InvalidRequest as error:
            problems += error.problems
        except MediaError as error:
            problems.append(Message("{input}: {problem}", input=name, problem=error.message))
        else:
            problems += validate_clip(clip, limits=limits, name=name)
    total = sum(clip.seconds for clip in clips.values())
    names = dict.fromkeys(name for _, name, _ in given)
    if limits.total and not problems and round(total, 1) > limits.total:
        problems.append(
            Message(
                "{names}: {seconds:.1f} s of clips are too long; use at most {most:g} s together",
                names=enumeration(Message("{input}", input=name) for name in names),
                seconds=total,
                most=limits.total,
            )
        )
    return clips, problems


def storage_problem(kind: str, name: str, rules: Model, region: Region) -> str:
    """Return the problem of a medium that cannot be uploaded, with the way around if there is one."""
    problem = Message("{input}: {region} has no temporary storage for uploads", input=name, region=region.title)
    if not rules.uploads:
        problem = Message("{input}: DashScope documents no uploads for {model}", input=name, model=rules.id)
    if kind == DRIVING_AUDIO:
        return Message("{problem}; enter the URL of the audio in audio_url instead", problem=problem)
    if kind == EDITED_VIDEO:
        return Message("{problem}; enter the public URL of the clip in video_url instead", problem=problem)
    return problem
