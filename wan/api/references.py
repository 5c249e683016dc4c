"""The rules of requests with references and clips: how many of each kind, how long, and how the prompt names them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from math import ceil

from ..catalog.fields import VideoRequest, rows_of
from ..catalog.jobs import EDIT_WORDS, EXTEND_WORDS
from ..catalog.media import (
    DRIVING_AUDIO,
    EDITED_VIDEO,
    FIRST_CLIP,
    FIRST_FRAME,
    LAST_FRAME,
    REFERENCE_AUDIO,
    REFERENCE_IMAGE,
    REFERENCE_VIDEO,
    VOICE,
)
from ..catalog.spec import REFERENCE_TO_VIDEO, VIDEO_EXTENSION, Model, kind_of
from ..messages import Message, alternatives, enumeration
from ..text import format_choices, or_choose

REFERENCES = (REFERENCE_IMAGE, REFERENCE_VIDEO, REFERENCE_AUDIO)
CLIPS = (REFERENCE_VIDEO, EDITED_VIDEO)

LABELS = {
    DRIVING_AUDIO: Message("an audio file"),
    LAST_FRAME: Message("a last frame"),
    FIRST_CLIP: Message("a clip"),
    FIRST_FRAME: Message("a first frame"),
    REFERENCE_IMAGE: Message("images"),
    REFERENCE_VIDEO: Message("clips"),
    REFERENCE_AUDIO: Message("sounds"),
    EDITED_VIDEO: Message("clip"),
}

_NEEDED = {REFERENCE_IMAGE: Message("an image"), REFERENCE_AUDIO: Message("a sound")}
_NEEDED |= dict.fromkeys(CLIPS, Message("a clip"))

_OWN_INPUTS = {FIRST_FRAME: "first_frame", LAST_FRAME: "last_frame", DRIVING_AUDIO: "audio_url"}
"""The nodes' input for each kind of media that is no reference."""

# Chinese prompts name images in two ways.
_ALSO = {"图{n}": "图片{n}"}
_LETTERS = r"[A-Za-z]"
_UNITS = r"[\s-]?(?:秒|分钟|帧|个|段|张|条|(?:seconds?|secs?|minutes?|fps|frames?|times)(?![A-Za-z]))"
_MOST_NUMBER = 20
"""What has a higher number is no reference: no request has as many. "A video 360 degrees around"."""


def reference_problems(
    request: VideoRequest, model: Model, *, provided: Collection[str], clip_seconds: float | None
) -> list[str]:
    """Return the problems of the references of a request. `provided` are their keys, `clip_seconds` is all clips'."""
    counts = Counter(kind_of(key) for key in provided if VOICE not in key)
    counts[DRIVING_AUDIO] += bool(request.audio_url)
    problems: list[str] = []
    if request.video_url and counts[EDITED_VIDEO]:
        problems.append(Message("video: use either video or video_url, not both"))
    elif request.video_url and model.accepts(EDITED_VIDEO):
        counts[EDITED_VIDEO] = 1
    problems += [*_count_problems(model, +counts), *_voice_problems(model, provided)]
    if not problems:
        problems += [*_duration_problems(request, model, counts, clip_seconds), *_name_problems(request, model, counts)]
    return problems


def _count_problems(model: Model, counts: Counter[str]) -> Iterator[str]:
    """Yield the problems of the numbers of media."""
    slots = {slot.kind: slot for slot in model.slots}
    most_of = {kind: slots[kind].most if kind in slots else 0 for kind in counts}
    for kind, count in counts.items():
        most = most_of[kind]
        if not most and kind in _OWN_INPUTS:
            told = Message(
                "{input}: {model} {problem}; remove it",
                input=_OWN_INPUTS[kind],
                model=model.id,
                problem=Message("does not accept {media}", media=LABELS[kind]),
            )
            yield or_choose(told, [row.id for row in rows_of(model.job).values() if row.accepts(kind)])
        elif not most:
            yield Message(
                "{input}: {model} does not accept {kind}; it accepts {choices}",
                input=_input_of(kind, model),
                model=model.id,
                kind=LABELS[kind],
                choices=enumeration(LABELS[slot.kind] for slot in model.slots),
            )
        elif count > most:
            yield Message(
                "{input}: {count} {kind} are too many for {model}; use at most {most}",
                input=_input_of(kind, model),
                count=count,
                kind=LABELS[kind],
                model=model.id,
                most=most,
            )
    for slot in model.slots:
        if counts[slot.kind] < slot.least:
            yield Message(
                "{input}: {model} needs {kind}",
                input=_input_of(slot.kind, model),
                model=model.id,
                kind=_NEEDED[slot.kind],
            )
    together = sum(min(count, most_of[kind]) for kind, count in counts.items() if kind != FIRST_FRAME)
    if together > model.most_media:
        yield Message(
            "references: {count} are too many for {model}; use at most {most} together",
            count=together,
            model=model.id,
            most=model.most_media,
        )
    if set(counts) <= {FIRST_FRAME} and not any(slot.least for slot in model.slots):
        yield Message(
            "reference_1: {model} needs at least one reference; connect {choices}",
            model=model.id,
            choices=alternatives(_NEEDED[slot.kind] for slot in model.slots if slot.kind != FIRST_FRAME),
        )


def _input_of(kind: str, model: Model) -> str:
    """Return the node's input for a kind of reference: in the other jobs than references, a clip has its own."""
    if model.job == REFERENCE_TO_VIDEO or kind == REFERENCE_AUDIO:
        return Message("references")
    return "image_1" if kind == REFERENCE_IMAGE else "video"


def _voice_problems(model: Model, provided: Collection[str]) -> Iterator[str]:
    voiced = [kind_of(key) for key in provided if VOICE in key]
    if any(not model.accepts_voice(kind) for kind in voiced):
        having = [row.id for row in rows_of(model.job).values() if row.voice_seconds]
        yield or_choose(
            Message("voices: {model} takes no voices for its references; remove them", model=model.id), having
        )


def _duration_problems(
    request: VideoRequest, model: Model, counts: Counter[str], clip_seconds: float | None
) -> Iterator[str]:
    """Yield the problems of the video's seconds beside those of its clips."""
    duration = request.duration
    if duration not in model.durations or not any(counts[kind] for kind in CLIPS):
        return
    if model.clip_durations and duration not in model.clip_durations:
        yield Message(
            "duration: {duration} s is not supported by {model} with a clip; choose {choices}",
            duration=duration,
            model=model.id,
            choices=format_choices(model.clip_durations),
        )
    if clip_seconds is None:
        return
    # What is edited can be cut, not prolonged.
    if counts[EDITED_VIDEO] and duration > ceil(clip_seconds):
        yield Message(
            "duration: {duration} s is longer than the clip, which has {seconds:.1f} s; choose 0 for all of it",
            duration=duration,
            seconds=clip_seconds,
        )
    if model.job == VIDEO_EXTENSION and duration <= clip_seconds:
        yield Message(
            "duration: {duration} s is the length of the complete video and must exceed the clip's {seconds:.1f} s",
            duration=duration,
            seconds=clip_seconds,
        )
    whole = clip_seconds + model.output_seconds(duration, clip_seconds=clip_seconds)
    if model.total_seconds and round(whole, 1) > model.total_seconds:
        yield Message(
            "duration: {duration:g} s of video and {clips:.1f} s of clips are too long for {model}; use at most {most} "
            "s together",
            duration=round(whole - clip_seconds, 1),
            clips=clip_seconds,
            model=model.id,
            most=model.total_seconds,
        )


def _name_problems(request: VideoRequest, model: Model, counts: Counter[str]) -> Iterator[str]:
    """Yield the references that the prompt names and the request does not have."""
    if model.reference_names is None:
        return
    have = sum(counts[kind] for kind in REFERENCES) if model.reference_names.jointly else None
    missing: dict[str, None] = {}
    for kind, form in _forms(model):
        most = counts[kind] if have is None else have
        for found in _pattern(form).finditer(request.prompt):
            if not 1 <= int(found["n"]) <= most and int(found["n"]) <= _MOST_NUMBER:
                missing[found[0]] = None
    if missing:
        yield Message(
            "prompt: names {missing}, but there is no such reference; {model} calls the references {names}",
            missing=enumeration(missing),
            model=model.id,
            names=enumeration(names_of(model, counts, chinese=not "".join(missing).isascii())),
        )


def _forms(model: Model) -> Iterator[tuple[str, str]]:
    """Yield each way in which a model's prompts name a reference, with the kind of the reference."""
    names = model.reference_names
    if names is None:
        return
    forms = [(kind, form) for table in (names.english, names.chinese) for kind, form in table.items()]
    forms += [(kind, _ALSO[form]) for kind, form in forms if form in _ALSO]
    seen = set()
    for kind, form in forms:
        # Names that count jointly are the same for all kinds.
        if form not in seen:
            seen.add(form)
            yield kind, form


def _pattern(form: str) -> re.Pattern[str]:
    """Return the pattern of a name with any number, whatever its case. The blank before the number may be missing."""
    before, after = form.split("{n}")
    text = re.escape(before.rstrip()) + (r"\s?" if before.endswith(" ") else "")
    inside = f"(?<!{_LETTERS})" if before[0].isascii() and before[0].isalpha() else ""
    # Words that end so name nothing: an illustration, a map, a sketch, a layout, a blueprint.
    inside = inside or ("(?<![插地草构蓝])" if before == "图" else "")
    # Nor does a number that goes on, or counts something: "video 4K", "audio 5.1", "video 9:16", "video 10 seconds".
    whole = rf"(?![0-9A-Za-z]|[.:：][0-9]|{_UNITS})"
    return re.compile(rf"{inside}{text}(?P<n>[0-9]{{1,3}}){whole}{re.escape(after)}", re.IGNORECASE)


def names_of(model: Model, counts: Counter[str], *, chinese: bool = False) -> list[str]:
    """Return the names by which a prompt calls the references of a request, in their order by kind."""
    names = model.reference_names
    if names is None:
        return []
    table = (chinese and names.chinese) or names.english
    if names.jointly:
        form = next(iter(table.values()))
        return [form.format(n=number + 1) for number in range(sum(counts[kind] for kind in REFERENCES))]
    return [form.format(n=number + 1) for kind, form in table.items() for number in range(counts[kind])]


def reference_warnings(request: VideoRequest, model: Model, *, provided: Collection[str]) -> list[str]:
    """Return the ways in which a prompt may not be taken as it is meant: other names, or the words of another job."""
    counts = Counter(kind_of(key) for key in provided if VOICE not in key)
    problems = list(_foreign_names(request, model, counts))
    has_clip = counts[REFERENCE_VIDEO] and model.job == REFERENCE_TO_VIDEO and model.family == "wan3.0"
    if found := _found(request.prompt, (*EDIT_WORDS, *EXTEND_WORDS)) if has_clip else []:
        problems.append(
            Message(
                "prompt: {model} edits or extends the clip where the prompt says so ({words}); for a new video use "
                "other words",
                model=model.id,
                words=enumeration(found),
            )
        )
    return problems


def _foreign_names(request: VideoRequest, model: Model, counts: Counter[str]) -> Iterator[str]:
    """Yield the names of references that the documents give for other models. Some sources give them for this one."""
    if model.reference_names is None:
        return
    rest = request.prompt
    for _, form in _forms(model):
        rest = _pattern(form).sub("\n", rest)
    others = {form for row in rows_of(REFERENCE_TO_VIDEO).values() for _, form in _forms(row)}
    foreign: dict[str, None] = {}
    # "[Image 1]" before the "Image 1" in it.
    for form in sorted(others, key=len, reverse=True):
        named = _pattern(form).finditer(rest)
        foreign |= dict.fromkeys(found[0] for found in named if int(found["n"]) <= _MOST_NUMBER)
        rest = _pattern(form).sub("\n", rest)
    if foreign:
        yield Message(
            "prompt: {model} may not know {foreign}; it calls the references {names}",
            model=model.id,
            foreign=enumeration(foreign),
            names=enumeration(names_of(model, counts, chinese=not "".join(foreign).isascii())),
        )


def _found(prompt: str, words: Iterable[str]) -> list[str]:
    """Return those words that a prompt has: "edit" and "edited", but not what is in "meditation" or "editor"."""
    return [word for word in words if _place(prompt, word) < len(prompt)]


def _place(prompt: str, *words: str) -> int:
    """Return where a prompt has the first of some words, its length if it has none of them."""
    forms = [rf"(?<!{_LETTERS}){word}(?:s|d|ed|ing)?(?!{_LETTERS})" if word.isascii() else word for word in words]
    found = re.search("|".join(forms), prompt, re.IGNORECASE)
    return found.start() if found else len(prompt)


def with_lead_in(prompt: str, model: Model | None) -> str:
    """Return a prompt whose first word for an edit or an extension is one for the model's job: else it gets some."""
    if model is None or model.lead_in is None or not isinstance(prompt, str) or not prompt.strip():
        return prompt
    lead = model.lead_in
    others = [word for word in (*EDIT_WORDS, *EXTEND_WORDS) if word not in lead.words]
    if _place(prompt, *lead.words) < _place(prompt, *others):
        return prompt
    chinese = any("\u4e00" <= character <= "\u9fff" for character in prompt)
    return (lead.chinese if chinese else lead.english) + prompt
