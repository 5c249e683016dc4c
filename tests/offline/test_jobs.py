"""Text to video, reference to video, video edit and extension: which bodies become videos (other-jobs.md)."""

from __future__ import annotations

import itertools
import json

import pytest
from fuzz import examples, json_values
from hypothesis import given
from hypothesis import strategies as st
from wanpack.offline.rows import models_in, row_for
from wanpack.offline.tasks import Timing
from wanpack.wan.api.request import build_body
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.jobs import ROWS
from wanpack.wan.catalog.regions import REGIONS

TEXT, REFERENCE, EDIT, EXTENSION = "text_to_video", "reference_to_video", "video_edit", "video_extension"
EVERY_ROW = [(job, model) for job, rows in ROWS.items() for model in rows]
WAN_3 = ("wan3.0-video", "wan3.0-video-prime")
PICTURE, CLIP, SOUND = "https://example.com/a.png", "https://example.com/a.mp4", "https://example.com/a.mp3"
ADDRESS = {
    "first_frame": PICTURE,
    "last_frame": PICTURE,
    "reference_image": PICTURE,
    "reference_video": CLIP,
    "reference_audio": SOUND,
    "video": CLIP,
}
INVALID = "InvalidParameter"
CREATE = "/services/aigc/video-generation/video-synthesis"


def media(*kinds):
    """URLs by kind, in this order, as a body has several of one kind."""
    counts = itertools.count(1)
    return {f"{kind}#{next(counts)}": ADDRESS[kind] for kind in kinds}


def listed(*kinds, **more):
    return [{"type": kind, "url": ADDRESS[kind], **more} for kind in kinds]


SAMPLES = {
    "t2v_wan30": {
        "model": "wan3.0-video",
        "input": {"prompt": "x"},
        "parameters": {"resolution": "480P", "ratio": "adaptive", "duration": 5, "prompt_extend": True},
    },
    "t2v_wan27_audio": {
        "model": "wan2.7-t2v-2026-06-12",
        "input": {"prompt": "x", "negative_prompt": "text, watermark", "audio_url": SOUND},
        "parameters": {"resolution": "720P", "ratio": "16:9", "prompt_extend": True, "duration": 10},
    },
    "t2v_wan26_multi": {
        "model": "wan2.6-t2v",
        "input": {"prompt": "x", "audio_url": SOUND},
        "parameters": {"size": "1280*720", "prompt_extend": True, "duration": 10, "shot_type": "multi"},
    },
    "t2v_happyhorse11": {
        "model": "happyhorse-1.1-t2v",
        "input": {"prompt": "x"},
        "parameters": {"resolution": "720P", "ratio": "16:9", "duration": 5},
    },
    "r2v_wan30": {
        "model": "wan3.0-video",
        "input": {
            "prompt": "Image 1 walks into Image 2 in the manner of Video 1 with the voice of Audio 1.",
            "media": [*listed("reference_image", "reference_image", "reference_video", "reference_audio")],
        },
        "parameters": {"resolution": "480P", "ratio": "adaptive", "duration": 5, "prompt_extend": True},
    },
    "r2v_wan27_voice": {
        "model": "wan2.7-r2v-2026-06-12",
        "input": {
            "prompt": "x",
            "media": [*listed("reference_image", "reference_video", reference_voice=SOUND), *listed("reference_image")],
        },
        "parameters": {
            "resolution": "720P",
            "ratio": "16:9",
            "duration": 10,
            "prompt_extend": False,
            "watermark": True,
        },
    },
    "r2v_wan26_flash": {
        "model": "wan2.6-r2v-flash",
        "input": {"prompt": "character1 holds character2", "reference_urls": [CLIP, PICTURE]},
        "parameters": {"size": "1280*720", "duration": 5, "audio": False, "shot_type": "multi"},
    },
    "r2v_happyhorse11": {
        "model": "happyhorse-1.1-r2v",
        "input": {"prompt": "[Image 1] opens [Image 2]", "media": listed("reference_image", "reference_image")},
        "parameters": {"resolution": "720P", "ratio": "16:9", "duration": 5},
    },
    "edit_wan27": {
        "model": "wan2.7-videoedit",
        "input": {"prompt": "x", "media": listed("video", "reference_image")},
        "parameters": {"resolution": "720P", "prompt_extend": True, "watermark": True, "audio_setting": "origin"},
    },
    "edit_happyhorse10": {
        "model": "happyhorse-1.0-video-edit",
        "input": {"prompt": "x", "media": listed("video", "reference_image")},
        "parameters": {"resolution": "720P"},
    },
    "edit_wan30": {
        "model": "wan3.0-video",
        "input": {"prompt": "编辑视频，将视频1的整个画面改成定格黏土动画。", "media": listed("reference_video")},
        "parameters": {"resolution": "720P", "duration": -1, "prompt_extend": True},
    },
    "extend_wan30": {
        "model": "wan3.0-video",
        "input": {"prompt": "将视频1向后延长，钟表匠合上怀表。", "media": listed("reference_video")},
        "parameters": {"resolution": "720P", "ratio": "adaptive", "duration": 7, "prompt_extend": True},
    },
}
JOBS = {"t2v": TEXT, "r2v": REFERENCE, "edit": EDIT, "extend": EXTENSION}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_documented_bodies_are_taken_each_for_its_job(idle, name):
    idle.submit(SAMPLES[name])
    [task] = idle.server.tasks
    assert (task.failure, task.inputs.ignored) == (None, ())
    assert (task.model.job, task.model.id) == (JOBS[name.partition("_")[0]], SAMPLES[name]["model"])


@pytest.mark.parametrize(
    ("prompt", "kinds", "job"),
    [
        ("a cat", [], TEXT),
        ("edit a film", [], TEXT),
        ("a cat", ["first_frame"], "image_to_video"),
        ("extend the arm", ["first_frame", "last_frame"], "image_to_video"),
        ("a cat", ["last_frame"], "image_to_video"),
        ("a cat", ["reference_image"], REFERENCE),
        ("edit Image 1", ["reference_image"], REFERENCE),
        ("extend", ["reference_audio"], REFERENCE),
        ("a cat", ["reference_video"], REFERENCE),
        ("Edit Video 1: rain", ["reference_video"], EDIT),
        ("REPLACE the hat", ["reference_image", "reference_video"], EDIT),
        ("去掉帽子", ["reference_video"], EDIT),
        ("Extend Video 1 forward: rain", ["reference_video"], EXTENSION),
        ("续写", ["reference_video", "reference_audio"], EXTENSION),
        ("Extend Video 1: they remove the hat", ["reference_video"], EXTENSION),
        ("Edit Video 1: she extends her arm", ["reference_video"], EDIT),
        (None, ["reference_video"], REFERENCE),
    ],
)
@pytest.mark.parametrize("model", WAN_3)
def test_media_and_words_choose_the_job_of_wan3(model, prompt, kinds, job):
    body = {"prompt": prompt, "media": listed(*kinds)} if kinds else {"prompt": prompt}
    assert row_for(models_in("offline")[model], body).job == job


@pytest.mark.parametrize(("job", "model"), EVERY_ROW)
def test_the_pack_sends_nothing_that_a_row_does_not_have(idle, kit, job, model):
    row = ROWS[job][model]
    words = {"prompt": kit.PROMPTS.get(job, "a cat"), "negative_prompt": "rain" if row.negative_prompt else ""}
    sent = 0
    for tier, ratio in itertools.product(row.resolutions, row.ratios or ("adaptive",)):
        if row.sizes and (tier, ratio) not in row.sizes:
            continue
        asked = VideoRequest(
            job=job,
            model=model,
            resolution=tier,
            ratio=ratio,
            duration=6 if 6 in row.durations else row.durations[-1],
            shot_type=row.shot_types[-1] if row.shot_types else "single",
            audio_setting=row.audio_settings[-1] if row.audio_settings else "auto",
            **words,
        )
        given = dict.fromkeys(row.media_combinations[-1], SOUND) if row.media_combinations else kit.least_media(row)
        idle.submit(build_body(asked, region=REGIONS["offline"], media=given))
        task = idle.server.tasks[-1]
        assert (task.failure, task.inputs.ignored, task.model.job) == (None, (), job)
        assert (task.inputs.resolution, task.model.id) == (tier, model)
        assert task.inputs.ratio == ("16:9" if job == TEXT and ratio == "adaptive" else ratio)
        sent += 1
    assert sent >= len(row.resolutions)


@pytest.mark.parametrize(
    ("job", "model", "resolution", "ratio", "duration"),
    [
        (TEXT, "wan3.0-video", "1080P", "16:9", 5),
        (TEXT, "wan2.7-t2v", "1080P", "16:9", 5),
        (TEXT, "happyhorse-1.1-t2v", "1080P", "16:9", 5),
        (TEXT, "wan2.6-t2v", "1080P", "16:9", 5),
        (TEXT, "wan2.5-t2v-preview", "1080P", "16:9", 5),
        (TEXT, "wan2.2-t2v-plus", "1080P", "16:9", 5),
        (TEXT, "wanx2.1-t2v-turbo", "720P", "16:9", 5),
        (TEXT, "wanx2.1-t2v-plus", "720P", "16:9", 5),
        (REFERENCE, "wan3.0-video", "1080P", "adaptive", 5),
        (REFERENCE, "wan2.7-r2v", "1080P", "16:9", 5),
        (REFERENCE, "happyhorse-1.0-r2v", "1080P", "16:9", 5),
        (REFERENCE, "wan2.6-r2v", "1080P", "16:9", 5),
        (EDIT, "wan3.0-video", "1080P", "adaptive", 5),
        (EDIT, "wan2.7-videoedit", "1080P", "adaptive", 5),
        (EDIT, "happyhorse-1.0-video-edit", "1080P", "adaptive", 5),
    ],
)
def test_what_is_left_out_has_the_services_defaults(idle, kit, job, model, resolution, ratio, duration):
    """A clip of the internet stands for one of 5 s."""
    body = kit.body(model, job=job)
    idle.submit({**body, "parameters": {}})
    inputs = idle.server.tasks[0].inputs
    assert (inputs.resolution, inputs.ratio, inputs.duration) == (resolution, ratio, duration)
    assert inputs.watermark == model.startswith("happyhorse")
    assert inputs.prompt_extend == (not model.startswith("happyhorse") and "2.6-r2v" not in model)
    assert inputs.audio == ("2.2" not in model and "2.1" not in model)


LACKING = {
    (TEXT, "wan3.0-video"): ("input.negative_prompt", "input.audio_url", "parameters.size", "parameters.shot_type"),
    (TEXT, "wan2.7-t2v"): ("parameters.size", "parameters.audio", "parameters.shot_type", "input.media"),
    (TEXT, "happyhorse-1.1-t2v"): (
        *("input.negative_prompt", "input.audio_url", "input.media"),
        *("parameters.prompt_extend", "parameters.audio", "parameters.size"),
    ),
    (TEXT, "wan2.6-t2v"): ("parameters.resolution", "parameters.ratio", "parameters.audio", "input.img_url"),
    (TEXT, "wan2.5-t2v-preview"): ("parameters.resolution", "parameters.shot_type", "parameters.audio"),
    (TEXT, "wan2.2-t2v-plus"): ("parameters.resolution", "parameters.shot_type", "input.audio_url"),
    (REFERENCE, "wan2.6-r2v"): (
        *("parameters.prompt_extend", "parameters.resolution", "parameters.audio"),
        *("input.media", "input.audio_url", "input.reference_video_urls"),
    ),
    (REFERENCE, "wan2.6-r2v-flash"): ("parameters.prompt_extend", "parameters.ratio"),
    (REFERENCE, "wan2.7-r2v"): ("parameters.size", "parameters.audio", "input.reference_urls", "input.audio_url"),
    (REFERENCE, "happyhorse-1.1-r2v"): ("parameters.prompt_extend", "input.negative_prompt"),
    (EDIT, "wan2.7-videoedit"): ("parameters.audio", "parameters.size", "parameters.shot_type"),
    (EDIT, "happyhorse-1.0-video-edit"): (
        *("parameters.duration", "parameters.ratio", "parameters.prompt_extend", "input.negative_prompt"),
    ),
    (EDIT, "wan3.0-video"): ("parameters.audio_setting", "input.negative_prompt"),
}


@pytest.mark.parametrize(("job", "model", "name"), [(*row, name) for row, names in LACKING.items() for name in names])
def test_a_field_that_the_row_does_not_have_is_ignored_and_noted(idle, kit, job, model, name):
    part, _, field = name.partition(".")
    for value in ("x", True, None):
        body = kit.body(model, job=job)
        body[part][field] = value
        task_id = idle.submit(body)
        assert idle.server.tasks[-1].failure is None
        assert f"{name} is ignored: {model} has no such field" in idle.server.notes_of(task_id)


@pytest.mark.parametrize(("job", "model"), EVERY_ROW)
def test_a_prompt_is_required_by_all_but_one(idle, kit, job, model):
    for prompt in (None, ""):
        body = kit.body(model, job=job, input={"prompt": prompt})
        if model in WAN_3 and job in (EDIT, EXTENSION):
            continue  # Without the words it is a reference.
        if model == "wan2.7-videoedit":
            idle.submit(body)
            assert idle.server.tasks[-1].failure is None
        else:
            assert idle.failure(body) == (INVALID, "Field required: input.prompt")


@pytest.mark.parametrize(("job", "model"), [(job, model) for job, model in EVERY_ROW if job in (REFERENCE, EDIT)])
def test_media_are_required_by_references_and_edits(idle, kit, job, model):
    name = "reference_urls" if "2.6" in model else "media"
    for empty in (None, []):
        if model in WAN_3:
            idle.submit(kit.body(model, job=job, input={"media": empty}))
            assert idle.server.tasks[-1].model.job == TEXT
        else:
            body = kit.body(model, job=job, input={name: empty})
            assert idle.failure(body) == (INVALID, f"Field required: input.{name}")


SIZES = {
    "480P": ["832*480", "480*832", "624*624"],
    "720P": ["1280*720", "720*1280", "960*960", "1088*832", "832*1088"],
    "1080P": ["1920*1080", "1080*1920", "1440*1440", "1632*1248", "1248*1632"],
}
TIERS = {
    (TEXT, "wan2.6-t2v"): ("720P", "1080P"),
    (TEXT, "wan2.6-t2v-us"): ("720P", "1080P"),
    (TEXT, "wan2.5-t2v-preview"): ("480P", "720P", "1080P"),
    (TEXT, "wan2.2-t2v-plus"): ("480P", "1080P"),
    (TEXT, "wanx2.1-t2v-turbo"): ("480P", "720P"),
    (TEXT, "wanx2.1-t2v-plus"): ("720P",),
    (REFERENCE, "wan2.6-r2v"): ("720P", "1080P"),
    (REFERENCE, "wan2.6-r2v-flash"): ("720P", "1080P"),
}


@pytest.mark.parametrize(("job", "model"), TIERS)
def test_exactly_the_sizes_of_the_rows_tiers_are_taken(idle, kit, job, model):
    wrong = ["720P", "16:9", "1280x720", "1280*721", "", "1104*832"]
    for tier, size in [
        *((tier, size) for tier, sizes in SIZES.items() for size in sizes),
        *(("", one) for one in wrong),
    ]:
        body = kit.body(model, job=job, parameters={"size": size})
        if tier in TIERS[job, model]:
            idle.submit(body)
            inputs = idle.server.tasks[-1].inputs
            assert (inputs.resolution, inputs.size) == (tier, size)
        else:
            assert idle.failure(body) == (INVALID, f"The size is not match {size}")


def test_the_table_of_sizes_is_about_every_row_that_has_some():
    assert set(TIERS) == {(job, model) for job, model in EVERY_ROW if ROWS[job][model].sizes}


BETWEEN_2_15 = "Duration should be between 2 and 15"
BETWEEN_2_10 = "Duration should be between 2 and 10"
BETWEEN_2_30 = "Duration should be between 2 and 30"
FIXED = "duration customization is not supported"
FIVE_OR_TEN = "Input should be 5 or 10: parameters.duration"
CHOSEN = "Offline mode makes no video of a length that the model chooses with wan3.0-video; DashScope does."


@pytest.mark.parametrize(
    ("job", "model", "kinds", "right", "wrong", "message"),
    [
        (TEXT, "wan3.0-video", (), (2, 30), (1, 31, 0), BETWEEN_2_30),
        (TEXT, "wan3.0-video", (), (), (-1,), CHOSEN),
        (TEXT, "wan2.7-t2v", (), (2, 15), (1, 16, 0, -1), BETWEEN_2_15),
        (TEXT, "happyhorse-1.1-t2v", (), (3, 15), (2, 16), "Duration should be between 3 and 15"),
        (TEXT, "wan2.6-t2v", (), (2, 15), (1, 16), BETWEEN_2_15),
        (TEXT, "wan2.6-t2v-us", (), (5, 10), (4, 15), FIVE_OR_TEN),
        (TEXT, "wan2.5-t2v-preview", (), (5, 10), (2, 15), FIVE_OR_TEN),
        (TEXT, "wan2.2-t2v-plus", (), (5,), (3, 8), FIXED),
        (TEXT, "wanx2.1-t2v-turbo", (), (5,), (3, 4), FIXED),
        (REFERENCE, "wan3.0-video", ("reference_image",), (2, 30), (1, 31), BETWEEN_2_30),
        (REFERENCE, "wan3.0-video", ("reference_image",), (), (-1,), CHOSEN),
        (REFERENCE, "wan2.7-r2v", ("reference_image",), (2, 11, 15), (1, 16), BETWEEN_2_15),
        (REFERENCE, "wan2.7-r2v", ("reference_video",), (2, 10), (1, 11, 15), BETWEEN_2_10),
        (REFERENCE, "wan2.7-r2v", ("first_frame", "reference_image"), (15,), (), ""),
        (REFERENCE, "wan2.6-r2v", ("reference_image",), (2, 10), (1, 11), BETWEEN_2_10),
        (
            REFERENCE,
            "happyhorse-1.1-r2v",
            ("reference_image",),
            (3, 15),
            (2, 16),
            "Duration should be between 3 and 15",
        ),
        (EDIT, "wan2.7-videoedit", ("video",), (0, 2, 10), (1, 11, -1), BETWEEN_2_10),
        (EDIT, "wan3.0-video", ("reference_video",), (-1, 2, 25), (0, 1, 31), BETWEEN_2_30),
        (EXTENSION, "wan3.0-video", ("reference_video",), (6, 25), (0, 1, 31), BETWEEN_2_30),
        (EXTENSION, "wan3.0-video", ("reference_video",), (), (-1,), CHOSEN),
    ],
)
def test_the_durations_of_each_row(idle, kit, job, model, kinds, right, wrong, message):
    given = {"media": media(*kinds)} if kinds else {}
    for duration in right:
        idle.submit(kit.body(model, job=job, parameters={"duration": duration}, **given))
        task = idle.server.tasks[-1]
        assert task.failure is None
        assert task.inputs.duration == (duration if duration > 0 else 5)
    for duration in wrong:
        body = kit.body(model, job=job, parameters={"duration": duration}, **given)
        assert idle.failure(body) == (INVALID, message)


def literals(*values):
    words = [repr(value) for value in values]
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


SEVEN = ("adaptive", "21:9", "16:9", "4:3", "1:1", "3:4", "9:16")
FIVE = ("16:9", "9:16", "1:1", "4:3", "3:4")
NINE = (*FIVE, "4:5", "5:4", "9:21", "21:9")


@pytest.mark.parametrize(
    ("job", "model", "name", "allowed"),
    [
        (TEXT, "wan3.0-video", "ratio", SEVEN),
        (TEXT, "wan2.7-t2v", "ratio", FIVE),
        (TEXT, "happyhorse-1.0-t2v", "ratio", NINE),
        (REFERENCE, "wan3.0-video", "ratio", SEVEN),
        (REFERENCE, "wan2.7-r2v", "ratio", FIVE),
        (REFERENCE, "happyhorse-1.0-r2v", "ratio", NINE),
        (EDIT, "wan2.7-videoedit", "ratio", FIVE),
        (EDIT, "wan3.0-video", "ratio", SEVEN),
        (EXTENSION, "wan3.0-video", "ratio", ("adaptive",)),
        (TEXT, "wan3.0-video", "resolution", ("1080P", "720P", "480P")),
        (TEXT, "wan2.7-t2v", "resolution", ("1080P", "720P")),
        (TEXT, "happyhorse-1.1-t2v", "resolution", ("1080P", "720P", "480P")),
        (TEXT, "happyhorse-1.0-t2v", "resolution", ("1080P", "720P")),
        (EDIT, "happyhorse-1.0-video-edit", "resolution", ("1080P", "720P")),
        (EDIT, "happyhorse-1.0-video-edit", "audio_setting", ("auto", "origin")),
        (EDIT, "wan2.7-videoedit", "audio_setting", ("auto", "origin")),
        (TEXT, "wan2.6-t2v", "shot_type", ("single", "multi")),
        (REFERENCE, "wan2.6-r2v", "shot_type", ("single", "multi")),
    ],
)
def test_the_words_of_each_row(idle, kit, job, model, name, allowed):
    others = {*NINE, *SEVEN, "480P", "720P", "1080P", "auto", "origin", "single", "multi"} - set(allowed)
    for value in allowed:
        idle.submit(kit.body(model, job=job, parameters={name: value}))
        assert idle.server.tasks[-1].failure is None
    for value in others:
        message = f"Input should be {literals(*allowed)}: parameters.{name}"
        assert idle.failure(kit.body(model, job=job, parameters={name: value})) == (INVALID, message)


@pytest.mark.parametrize(
    ("job", "model", "limit"),
    [
        (TEXT, "wan3.0-video", 20_000),
        (TEXT, "wan2.7-t2v", 5000),
        (TEXT, "happyhorse-1.1-t2v", 2500),
        (TEXT, "wan2.6-t2v", 1500),
        (TEXT, "wan2.5-t2v-preview", 1500),
        (TEXT, "wan2.2-t2v-plus", 800),
        (TEXT, "wanx2.1-t2v-turbo", 800),
        (REFERENCE, "wan2.7-r2v", 5000),
        (REFERENCE, "wan2.6-r2v", 1500),
        (EDIT, "wan2.7-videoedit", 5000),
    ],
)
def test_a_long_prompt_is_cut(idle, kit, job, model, limit):
    prompt = "猫" * (limit + 1)
    idle.submit(kit.body(model, job=job, input={"prompt": prompt}))
    assert idle.server.tasks[0].inputs.prompt == prompt[:limit]


def test_all_jobs_of_a_model_share_its_places_and_its_queue(make_server, kit, clock, monkeypatch):
    api = make_server(clock=clock, timing=Timing(queued=0, rendering=20), running_limit=1)
    ids = [api.submit(kit.body("wan3.0-video", job=job)) for job in ROWS]
    ids.append(api.submit(kit.body("wan3.0-video")))
    assert api.server.wait_idle()
    assert [api.state(one) for one in ids] == ["RUNNING", *["PENDING"] * 4]


NAMES = {
    "input": ("prompt", "media", "reference_urls", "audio_url", "negative_prompt"),
    "parameters": ("size", "ratio", "resolution", "duration", "seed", "audio", "audio_setting", "shot_type"),
}
ITEMS = st.dictionaries(
    st.sampled_from(["type", "url", "reference_voice"]), st.one_of(json_values, st.sampled_from([*ADDRESS, PICTURE]))
)


@pytest.mark.parametrize("job", ROWS)
def test_whatever_a_body_has_it_gets_a_task(idle, kit, job):
    """The task fails in the service's words; the mock server itself never does."""

    @examples(40)
    @given(
        st.sampled_from(sorted(ROWS[job])),
        st.sampled_from([(part, name) for part, names in NAMES.items() for name in names]),
        st.one_of(json_values, st.lists(ITEMS, max_size=3)),
    )
    def send(model, place, value):
        body = kit.body(model, job=job)
        body[place[0]][place[1]] = value
        try:
            data = json.dumps(body, allow_nan=False).encode()
        except ValueError:  # A number that JSON has not.
            return
        headers = {"X-DashScope-Async": "enable", "Content-Type": "application/json"}
        response = idle.post(CREATE, data=data, headers=headers)
        assert response.status_code == 200, response.text

    send()
