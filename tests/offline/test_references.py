"""References and clips: how many, of which files, how long, and by which URLs (other-jobs.md sections 2 and 3)."""

from __future__ import annotations

import itertools

import pytest
from media import data_uri, wav
from wanpack.wan.catalog.jobs import ROWS

REFERENCE, EDIT, EXTENSION = "reference_to_video", "video_edit", "video_extension"
OSS = {"X-DashScope-OssResourceResolve": "enable"}
INVALID = "InvalidParameter"
BAD_URL = (INVALID, "The provided URL does not appear to be valid. Ensure it is correctly formatted.")
BAD_MEDIA = (INVALID, "The media format is not supported or incorrect for the data inspection.")
GONE = (INVALID, "Failed to find the requested media resource during the data inspection process.")
WAN_3 = "wan3.0-video"
ADDRESS = {
    "first_frame": "https://example.com/f.png",
    "last_frame": "https://example.com/l.png",
    "reference_image": "https://example.com/a.png",
    "reference_video": "https://example.com/a.mp4",
    "reference_audio": "https://example.com/a.mp3",
    "video": "https://example.com/a.mov",
}
IMAGE, CLIP, SOUND = "reference_image", "reference_video", "reference_audio"


def media(kinds, address=None):
    """URLs by kind, in this order, as a body has several of one kind."""
    return {f"{kind}#{n}": (address or ADDRESS)[kind] for n, kind in enumerate(kinds)}


def sets(*most):
    """Every number of these kinds up to one more than the most, as lists of kinds."""
    for counts in itertools.product(*(sorted({0, 1, limit, limit + 1}) for _, limit in most)):
        yield [kind for (kind, _), count in zip(most, counts, strict=True) for _ in range(count)]


def count(kinds, kind):
    return sum(one == kind for one in kinds)


COUNTS = {
    (REFERENCE, "wan2.7-r2v"): (
        [("first_frame", 1), (IMAGE, 5), (CLIP, 5)],
        lambda kinds: count(kinds, "first_frame") <= 1 and 1 <= count(kinds, IMAGE) + count(kinds, CLIP) <= 5,
    ),
    (REFERENCE, "wan2.6-r2v"): (
        [(IMAGE, 5), (CLIP, 3)],
        lambda kinds: count(kinds, CLIP) <= 3 and 1 <= len(kinds) <= 5,
    ),
    (REFERENCE, "wan2.6-r2v-flash"): (
        [(IMAGE, 5), (CLIP, 3)],
        lambda kinds: count(kinds, CLIP) <= 3 and 1 <= len(kinds) <= 5,
    ),
    (REFERENCE, "happyhorse-1.1-r2v"): ([(IMAGE, 9)], lambda kinds: 1 <= len(kinds) <= 9),
    (EDIT, "wan2.7-videoedit"): (
        [("video", 1), (IMAGE, 4)],
        lambda kinds: count(kinds, "video") == 1 and count(kinds, IMAGE) <= 4,
    ),
    (EDIT, "happyhorse-1.0-video-edit"): (
        [("video", 1), (IMAGE, 5)],
        lambda kinds: count(kinds, "video") == 1 and count(kinds, IMAGE) <= 5,
    ),
}


@pytest.mark.parametrize(("job", "model"), COUNTS)
def test_exactly_the_documented_numbers_are_taken(idle, kit, job, model):
    most, is_legal = COUNTS[job, model]
    for kinds in sets(*most):
        if not kinds:
            continue
        duration = {"duration": 0} if "videoedit" in model else {}
        idle.submit(kit.body(model, job=job, media=media(kinds), parameters=duration))
        task = idle.server.tasks[-1]
        assert (task.failure is None) == is_legal(kinds), kinds
        if task.failure is None:
            assert [key.partition("#")[0] for key in task.inputs.media] == kinds
        else:
            assert task.failure.message.startswith("The number of ")


WAN_3_COUNTS = [
    ([IMAGE] * 10 + [SOUND] * 5, True),
    ([IMAGE] * 11, False),
    ([CLIP] * 2, True),
    ([CLIP] * 6, False),
    ([SOUND], True),
    ([SOUND] * 6, False),
    ([SOUND, CLIP, IMAGE], True),
]


@pytest.mark.parametrize(("kinds", "legal"), WAN_3_COUNTS)
@pytest.mark.parametrize("job", [REFERENCE, EDIT, EXTENSION])
def test_wan3_takes_the_same_references_for_each_of_its_jobs(idle, kit, job, kinds, legal):
    if job != REFERENCE and CLIP not in kinds:
        kinds = [CLIP, *kinds]
    # A clip of the internet stands for one of 5 s.
    seconds = {"duration": 11}
    idle.submit(kit.body(WAN_3, job=job, media=media(kinds), parameters=seconds))
    task = idle.server.tasks[-1]
    assert task.model.job == job
    assert (task.failure is None) == legal, task.failure


def test_a_number_that_is_not_taken_is_reported_with_what_is(idle, kit):
    assert idle.failure(kit.body("wan2.7-videoedit", media=media([IMAGE] * 6))) == (
        INVALID,
        "The number of video should be 1, got 0: input.media & "
        "The number of reference_image should be 0 to 4, got 6: input.media & "
        "The number of video + reference_image should be 1 to 5, got 6: input.media",
    )
    urls = {"reference_urls": [ADDRESS[CLIP]] * 4}
    assert idle.failure(kit.body("wan2.6-r2v", input=urls)) == (
        INVALID,
        "The number of reference_video should be 0 to 3, got 4: input.reference_urls",
    )


TYPES = {
    "wan2.7-r2v": "'first_frame', 'reference_image' or 'reference_video'",
    "happyhorse-1.1-r2v": "'reference_image'",
    "wan2.7-videoedit": "'video' or 'reference_image'",
    "happyhorse-1.0-video-edit": "'video' or 'reference_image'",
    WAN_3: "'first_frame', 'last_frame', 'reference_image', 'reference_video', 'reference_audio', 'file' or 'link'",
}


@pytest.mark.parametrize("model", TYPES)
def test_the_types_of_each_model(idle, kit, model):
    wrong = ["image", "driving_audio", "first_clip", "reference_voice"]
    wrong += ["video"] if "edit" not in model else ["first_frame"]
    for kind in wrong:
        body = kit.body(model, input={"media": [{"type": kind, "url": ADDRESS[IMAGE]}]})
        assert idle.failure(body) == (INVALID, f"Input should be {TYPES[model]}: input.media.0.type")


def test_frames_and_references_of_wan3_exclude_each_other(idle, kit):
    body = kit.body(
        WAN_3,
        input={"prompt": "edit", "media": [{"type": kind, "url": ADDRESS[kind]} for kind in (CLIP, "first_frame")]},
    )
    assert idle.failure(body)[1].startswith("The two modes are mutually exclusive.")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("x", "Input should be a valid list: input.reference_urls"),
        ([ADDRESS[IMAGE], 7], "Input should be a valid string: input.reference_urls.1"),
        ([{"url": ADDRESS[IMAGE]}], "Input should be a valid string: input.reference_urls.0"),
        (["https://example.com/a.gif"], BAD_MEDIA[1]),
        (["https://example.com/a"], BAD_MEDIA[1]),
        (["http://["], BAD_MEDIA[1]),
        (["ftp://example.com/a.png"], BAD_URL[1]),
    ],
)
def test_reference_urls_of_another_form_fail(idle, kit, given, message):
    assert idle.failure(kit.body("wan2.6-r2v", input={"reference_urls": given})) == (INVALID, message)


def test_the_ending_of_a_reference_url_tells_its_kind(idle, kit):
    names = ["a.PNG", "b.jpeg?x=1.mp4", "c.mp4", "d.MOV", "e.webp"]
    idle.submit(kit.body("wan2.6-r2v", input={"reference_urls": [f"https://example.com/{name}" for name in names]}))
    kinds = ["reference_image#1", "reference_image#2", "reference_video#1", "reference_video#2", "reference_image#3"]
    assert list(idle.server.tasks[0].inputs.media) == kinds


def with_voice(kit, model, voice, *, kind=IMAGE, **more):
    return kit.body(model, input={"media": [{"type": kind, "url": ADDRESS[kind], "reference_voice": voice}]}, **more)


@pytest.mark.parametrize("kind", [IMAGE, CLIP])
def test_a_voice_belongs_to_its_reference(idle, kit, kind):
    idle.submit(with_voice(kit, "wan2.7-r2v", "https://example.com/v.wav", kind=kind))
    assert idle.server.tasks[0].inputs.media == {
        f"{kind}#1": ADDRESS[kind],
        f"{kind}#1/reference_voice": "https://example.com/v.wav",
    }


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(0.8, "InvalidFile.Duration"), (1, ""), (10, ""), (10.5, "InvalidURL")],
)
def test_a_voice_has_1_to_10_seconds(idle, kit, seconds, code):
    voice = idle.upload("v.wav", wav(seconds), model="wan2.7-r2v")
    body = with_voice(kit, "wan2.7-r2v", voice)
    if code:
        assert idle.failure(body, headers=OSS)[0] == code
    else:
        idle.submit(body, headers=OSS)
        assert idle.server.tasks[0].failure is None


def test_a_voice_is_a_sound_file_by_a_url(idle, kit):
    wrong = ("InvalidURL", "File type is not supported. Allowed types are: .wav, .mp3.")
    for voice in ("https://example.com/v.m4a", "data:audio/wav;base64,AAAA"):
        assert idle.failure(with_voice(kit, "wan2.7-r2v", voice)) == wrong
    assert idle.failure(with_voice(kit, "wan2.7-r2v", 7)) == (
        INVALID,
        "Input should be a valid string: input.media.0.reference_voice",
    )
    assert idle.failure(with_voice(kit, "wan2.7-r2v", "oss://dashscope-instant/x/a.wav"), headers=OSS) == GONE


@pytest.mark.parametrize("model", [WAN_3, "happyhorse-1.1-r2v", "wan2.7-videoedit"])
def test_a_voice_is_ignored_where_the_model_has_none(idle, kit, model):
    kind = "video" if "edit" in model else IMAGE
    idle.submit(with_voice(kit, model, 7, kind=kind))
    assert (idle.server.tasks[0].failure, len(idle.server.tasks[0].inputs.media)) == (None, 1)


INLINE = {
    (REFERENCE, WAN_3): True,
    (REFERENCE, "wan2.7-r2v"): True,
    (REFERENCE, "happyhorse-1.1-r2v"): True,
    (REFERENCE, "wan2.6-r2v"): False,
    (REFERENCE, "wan2.6-r2v-flash"): False,
    (EDIT, "wan2.7-videoedit"): True,
    (EDIT, "happyhorse-1.0-video-edit"): True,
    (EDIT, WAN_3): True,
}


@pytest.mark.parametrize(("job", "model"), INLINE)
def test_an_image_as_a_data_uri(idle, kit, job, model):
    given = dict(kit.least_media(ROWS[job][model]))
    given |= {"reference_image": data_uri(kit.image(400, 400))}
    body = kit.body(model, job=job, media=given)
    if INLINE[job, model]:
        idle.submit(body)
        assert idle.server.tasks[0].failure is None
    else:
        assert idle.failure(body) == BAD_URL


@pytest.mark.parametrize(
    ("job", "model", "kind"),
    [
        (REFERENCE, WAN_3, CLIP),
        (REFERENCE, "wan2.7-r2v", CLIP),
        (EDIT, "wan2.7-videoedit", "video"),
        (EDIT, "happyhorse-1.0-video-edit", "video"),
    ],
)
def test_a_clip_as_a_data_uri_fails(idle, kit, job, model, kind):
    uri = data_uri(kit.clip(), "video/mp4")
    assert idle.failure(kit.body(model, job=job, media={kind: uri})) == BAD_URL


FILES = {
    IMAGE: ("a.png", lambda kit: kit.image(400, 400, kind="PNG")),
    CLIP: ("a.mp4", lambda kit: kit.clip(size=(480, 360))),
}
FILES |= {SOUND: ("a.wav", lambda _: wav(3)), "video": FILES[CLIP], "first_frame": FILES[IMAGE]}


@pytest.mark.parametrize(
    ("model", "kinds"),
    [
        (WAN_3, [IMAGE, CLIP, SOUND]),
        ("wan2.7-r2v", ["first_frame", IMAGE, CLIP]),
        ("wan2.6-r2v", [IMAGE, CLIP]),
        ("happyhorse-1.1-r2v", [IMAGE]),
        ("wan2.7-videoedit", ["video", IMAGE]),
        ("happyhorse-1.0-video-edit", ["video", IMAGE]),
    ],
)
def test_uploads_are_taken_with_the_header_and_under_the_models_own_id(idle, kit, model, kinds):
    job = EDIT if "edit" in model else REFERENCE
    own = {kind: idle.upload(FILES[kind][0], FILES[kind][1](kit), model=model) for kind in kinds}
    idle.submit(kit.body(model, job=job, media=media(kinds, own)), headers=OSS)
    assert (idle.server.tasks[-1].failure, idle.server.tasks[-1].notes) == (None, [])
    without_header = "media.url scheme must be http/https, got: 'oss'" if model == WAN_3 else BAD_URL[1]
    for kind in kinds:
        one_upload = {**ADDRESS, kind: own[kind]}
        body = kit.body(model, job=job, media=media(kinds, one_upload))
        assert idle.failure(body) == (INVALID, without_header)
        anothers = idle.upload(FILES[kind][0], FILES[kind][1](kit), model="wan2.6-t2v")
        body = kit.body(model, job=job, media=media(kinds, {**ADDRESS, kind: anothers}))
        assert "authorization" in idle.failure(body, headers=OSS)[1]


@pytest.mark.parametrize(
    ("job", "model", "size", "code"),
    [
        (REFERENCE, "wan2.7-r2v", (240, 1920), ""),
        (REFERENCE, "wan2.7-r2v", (240, 1930), "InvalidFile.AspectRatio"),
        (REFERENCE, "wan2.7-r2v", (239, 300), INVALID),
        (REFERENCE, "wan2.6-r2v", (240, 1930), ""),
        (REFERENCE, WAN_3, (240, 1930), "InvalidFile.AspectRatio"),
        (REFERENCE, "happyhorse-1.1-r2v", (400, 1200), ""),
        (REFERENCE, "happyhorse-1.1-r2v", (399, 1200), INVALID),
        (EDIT, "happyhorse-1.0-video-edit", (300, 750), ""),
        (EDIT, "happyhorse-1.0-video-edit", (300, 760), "InvalidFile.AspectRatio"),
        (EDIT, "happyhorse-1.0-video-edit", (299, 300), INVALID),
        (EDIT, "wan2.7-videoedit", (240, 1920), ""),
    ],
)
def test_the_images_of_each_row(idle, kit, job, model, size, code):
    url = idle.upload("a.png", kit.image(*size, kind="PNG"), model=model)
    given = {**kit.least_media(ROWS[job][model]), "reference_image": url}
    idle.submit(kit.body(model, job=job, media=given), headers=OSS)
    failure = idle.server.tasks[0].failure
    assert (failure.code if failure else "") == code


@pytest.mark.parametrize(
    ("job", "model", "facts", "code"),
    [
        (REFERENCE, WAN_3, {"seconds": 1}, ""),
        (REFERENCE, WAN_3, {"seconds": 0.8}, "InvalidFile.Duration"),
        (REFERENCE, WAN_3, {"seconds": 15, "fps": 16}, ""),
        (REFERENCE, WAN_3, {"seconds": 15.5}, "InvalidFile.Duration"),
        (REFERENCE, WAN_3, {"fps": 15}, "InvalidFile.FPS"),
        (EDIT, WAN_3, {"fps": 15}, "InvalidFile.FPS"),
        (REFERENCE, "wan2.7-r2v", {"fps": 10, "seconds": 30}, ""),
        (REFERENCE, "wan2.7-r2v", {"fps": 10, "seconds": 31}, "InvalidFile.Duration"),
        (REFERENCE, "wan2.6-r2v", {"fps": 5, "seconds": 1}, ""),
        (REFERENCE, "wan2.6-r2v", {"kind": "avi"}, INVALID),
        (EDIT, "wan2.7-videoedit", {"seconds": 1.5}, "InvalidFile.Duration"),
        (EDIT, "wan2.7-videoedit", {"seconds": 10.5}, "InvalidFile.Duration"),
        (EDIT, "happyhorse-1.0-video-edit", {"seconds": 2.5, "size": (480, 360)}, "InvalidFile.Duration"),
        (EDIT, "happyhorse-1.0-video-edit", {"seconds": 3, "size": (480, 360), "fps": 8}, ""),
        (EDIT, "happyhorse-1.0-video-edit", {"seconds": 3, "size": (480, 360), "fps": 7}, "InvalidFile.FPS"),
        (EDIT, "happyhorse-1.0-video-edit", {"seconds": 3, "size": (480, 358)}, "InvalidFile.Resolution"),
        (EDIT, "happyhorse-1.0-video-edit", {"seconds": 3, "size": (912, 362)}, "InvalidFile.AspectRatio"),
    ],
)
def test_the_clips_of_each_row(idle, kit, job, model, facts, code):
    kind = "video" if "edit" in model else CLIP
    url = idle.upload("a.mp4", kit.clip(**{"seconds": 3, **facts}), model=model)
    idle.submit(kit.body(model, job=job, media={kind: url}), headers=OSS)
    failure = idle.server.tasks[0].failure
    assert (failure.code if failure else "") == code


def test_a_frame_rate_is_reported_with_what_is_possible(idle, kit):
    url = idle.upload("a.mp4", kit.clip(3, fps=10), model=WAN_3)
    message = idle.failure(kit.body(WAN_3, job=REFERENCE, media={CLIP: url}), headers=OSS)[1]
    assert message == "Invalid file fps. The video fps must be at least 16."


@pytest.mark.parametrize(
    ("seconds", "message"),
    [((7.5, 7.5), ""), ((8, 7.5), "The total duration of the input videos must not exceed 15 s.")],
)
def test_the_clips_of_wan3_have_15_seconds_together(idle, kit, seconds, message):
    urls = [idle.upload("a.mp4", kit.clip(one, fps=16), model=WAN_3) for one in seconds]
    body = kit.body(WAN_3, job=REFERENCE, media={f"{CLIP}#{n}": url for n, url in enumerate(urls)})
    idle.submit(body, headers=OSS)
    failure = idle.server.tasks[0].failure
    assert (failure.message if failure else "") == message


@pytest.mark.parametrize(
    ("seconds", "message"),
    [((7, 8), ""), ((7, 9), "The total duration of the input audios must not exceed 15 s.")],
)
def test_the_sounds_of_wan3_have_15_seconds_together(idle, kit, seconds, message):
    urls = [idle.upload("a.wav", wav(one), model=WAN_3) for one in seconds]
    body = kit.body(WAN_3, job=REFERENCE, media={f"{SOUND}#{n}": url for n, url in enumerate(urls)})
    idle.submit(body, headers=OSS)
    failure = idle.server.tasks[0].failure
    assert (failure.message if failure else "") == message


TOO_LONG = "The total duration of the input and output videos must not exceed 30 s."


@pytest.mark.parametrize(
    ("job", "clip", "duration", "message"),
    [
        (REFERENCE, 6, 24, ""),
        (REFERENCE, 6, 25, TOO_LONG),
        (EDIT, 6, 24, ""),
        (EDIT, 6, 25, TOO_LONG),
        (EDIT, 15, -1, ""),
        (EXTENSION, 6, 24, ""),
        (EXTENSION, 6, 25, TOO_LONG),
        (EXTENSION, 6, 7, ""),
        (EXTENSION, 6, 6, "The duration must be longer than the reference video of 6.00 s."),
        (EXTENSION, 15, 16, TOO_LONG),
    ],
)
def test_the_clips_and_the_video_of_wan3_have_30_seconds_together(idle, kit, job, clip, duration, message):
    url = idle.upload("a.mp4", kit.clip(clip, fps=16), model=WAN_3)
    idle.submit(kit.body(WAN_3, job=job, media={CLIP: url}, parameters={"duration": duration}), headers=OSS)
    failure = idle.server.tasks[0].failure
    assert (failure.message if failure else "") == message


def test_what_cannot_be_fetched_is_replaced_and_that_is_said(idle, kit):
    task_id = idle.submit(kit.body(WAN_3, job=REFERENCE, media=media([IMAGE, CLIP, SOUND, IMAGE])))
    assert idle.server.notes_of(task_id) == [
        "reference_image 1 could not be fetched offline: replaced by a drawn picture",
        "reference_video 1 could not be fetched offline: replaced by a drawn picture for 5 s",
        "reference_audio 1 could not be fetched offline: replaced by a tone",
        "reference_image 2 could not be fetched offline: replaced by a drawn picture",
    ]


def test_a_damaged_reference_fails(idle, kit):
    for kind, name, data in ((CLIP, "a.mp4", kit.clip()[:-300]), (CLIP, "a.mp4", kit.image())):
        url = idle.upload(name, data, model="wan2.6-r2v")
        assert idle.failure(kit.body("wan2.6-r2v", media={kind: url}), headers=OSS) == BAD_MEDIA
    url = idle.upload("a.png", kit.clip(), model="wan2.6-r2v")
    body = kit.body("wan2.6-r2v", media={IMAGE: url})
    assert idle.failure(body, headers=OSS)[1] == "Failed to decode the image during the data inspection."
