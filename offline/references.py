"""Fetching and judging references and clips to edit or extend: pictures, clips, sounds and voices.

Limits: other-jobs.md sections 2 and 3, newer-models.md section 2. What cannot be fetched is drawn; such a clip has 5 s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..wan.catalog.media import (
    EDITED_VIDEO,
    FIRST_FRAME,
    REFERENCE_AUDIO,
    REFERENCE_VIDEO,
    VOICE,
)
from ..wan.catalog.spec import REFERENCE_TO_VIDEO, VIDEO_EXTENSION, Model, kind_of
from .clip import first_picture
from .failures import TaskRejected
from .media import SLACK, MediaResolver
from .pictures import small_copy
from .scene import DRAWN_SIZE, CheckedClip, ResolvedMedia
from .usage import video_seconds
from .validation import TaskInputs

_DRAWN_SECONDS = 5.0
_CLIPS = (REFERENCE_VIDEO, EDITED_VIDEO)


@dataclass
class _Found:
    """What was found, in the order of the body: None stands for what could not be fetched."""

    frame: bytes | None = None
    pictures: list[bytes | None] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    clips: list[CheckedClip | None] = field(default_factory=list)
    sounds: list[bytes | None] = field(default_factory=list)
    sound_seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    def note(self, key: str, *, instead: str) -> None:
        """Note that a medium could not be fetched."""
        self.notes.append(f"{key.replace('#', ' ')} could not be fetched offline: {instead}")


def resolve_references(finder: MediaResolver, inputs: TaskInputs) -> ResolvedMedia:
    """Fetch and check the media of a request whose model has references or edits clips. Raises TaskRejected."""
    found, model = _Found(), finder.model
    for key, address in inputs.media.items():
        kind = kind_of(key)
        if key.endswith(VOICE):
            finder.audio(address, span=model.voice_seconds or model.audio_seconds)
        elif kind == REFERENCE_AUDIO:
            _add_sound(found, key, address, finder=finder, heard=inputs.audio)
        elif kind in _CLIPS:
            _add_clip(found, key, address, finder=finder)
        else:
            _add_image(found, key, address, finder=finder)
    media = _resolved(found, inputs, model=model)
    if problems := [*_problems_together(media, inputs, sound_seconds=found.sound_seconds, model=model)]:
        raise TaskRejected(*problems)
    return media


def _add_image(found: _Found, key: str, address: str, *, finder: MediaResolver) -> None:
    image, shown = finder.image(address), finder.model.job == REFERENCE_TO_VIDEO
    if image is None:
        found.note(key, instead="replaced by a drawn picture" if shown else "it is not looked at")
    size = image.size if image else DRAWN_SIZE
    if key == FIRST_FRAME:
        found.frame = image.data if image else None
        found.sizes.insert(0, size)
    elif shown:
        found.pictures.append(small_copy(image.data) if image else None)
        found.sizes.append(size)


def _add_clip(found: _Found, key: str, address: str, *, finder: MediaResolver) -> None:
    clip = finder.clip(address)
    if clip is None:
        found.note(key, instead=f"replaced by a drawn picture for {_DRAWN_SECONDS:g} s")
    found.clips.append(clip)
    found.pictures.append(first_picture(clip) if clip else None)
    found.sizes.append(clip.size if clip else DRAWN_SIZE)


def _add_sound(found: _Found, key: str, address: str, *, finder: MediaResolver, heard: bool) -> None:
    sound = finder.audio(address, span=finder.model.audio_seconds)
    if sound is None and heard:
        found.note(key, instead="replaced by a tone")
    found.sounds.append(sound.data if sound else None)
    found.sound_seconds += sound.seconds if sound else 0.0


def _resolved(found: _Found, inputs: TaskInputs, *, model: Model) -> ResolvedMedia:
    of_clip = model.job != REFERENCE_TO_VIDEO
    pictures = found.pictures[:1] if of_clip else found.pictures
    if FIRST_FRAME in inputs.media:
        pictures = [] if found.frame else [None]
    return ResolvedMedia(
        image=found.frame,
        audio=found.sounds[0] if found.sounds else None,
        clip=found.clips[0] if of_clip else None,
        size=found.sizes[0] if found.sizes else None,
        pictures=tuple(pictures),
        clips=tuple(clip.seconds if clip else _DRAWN_SECONDS for clip in found.clips),
        references=sum(VOICE not in key and key != FIRST_FRAME for key in inputs.media),
        notes=found.notes,
    )


def _problems_together(
    media: ResolvedMedia, inputs: TaskInputs, *, sound_seconds: float, model: Model
) -> Iterator[str]:
    """Say what is too long together. The service documents the limits, and not its words for them."""
    clips, video = sum(media.clips), video_seconds(inputs, media, model=model)
    if model.clip_limits.total and clips > model.clip_limits.total + SLACK:
        yield f"The total duration of the input videos must not exceed {model.clip_limits.total:g} s."
    longest = model.audio_seconds[1]
    if sound_seconds > longest + SLACK:
        yield f"The total duration of the input audios must not exceed {longest} s."
    if model.total_seconds and media.clips and clips + video > model.total_seconds + SLACK:
        yield f"The total duration of the input and output videos must not exceed {model.total_seconds} s."
    if model.job == VIDEO_EXTENSION and video <= clips:
        yield f"The duration must be longer than the reference video of {clips:.2f} s."
