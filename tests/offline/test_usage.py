"""What the mock server says was used by text, reference, edit and extension videos (other-jobs.md sections 1, 3, 5)."""

from __future__ import annotations

import pytest

TEXT, REFERENCE, EDIT, EXTENSION = "text_to_video", "reference_to_video", "video_edit", "video_extension"
OSS = {"X-DashScope-OssResourceResolve": "enable"}
IMAGE, CLIP = "reference_image", "reference_video"


def wan3(duration, *, input_=0.0, tier=480, ratio="16:9"):
    return {
        "video_count": 1,
        "duration": duration,
        "input_video_duration": input_,
        "output_video_duration": duration - input_,
        "fps": 30,
        "SR": tier,
        "ratio": ratio,
    }


def usual(duration, *, tier, input_=0, **more):
    return {
        "duration": duration,
        "input_video_duration": input_,
        "output_video_duration": duration - input_,
        "video_count": 1,
        "SR": tier,
        **more,
    }


@pytest.mark.parametrize(
    ("model", "parameters", "usage"),
    [
        ("wan3.0-video", {}, wan3(2.0)),
        ("wan3.0-video-prime", {"ratio": "9:16", "resolution": "1080P"}, wan3(2.0, tier=1080, ratio="9:16")),
        ("wan2.7-t2v", {}, usual(2, tier=720, ratio="16:9")),
        ("wan2.7-t2v-2026-06-12", {"ratio": "3:4", "duration": 15}, usual(15, tier=720, ratio="3:4")),
        ("happyhorse-1.1-t2v", {"ratio": "4:5"}, usual(3, tier=480, ratio="4:5")),
        ("wan2.6-t2v", {"size": "1088*832"}, usual(2, tier=720, size="1088*832")),
        ("wan2.6-t2v-us", {"size": "1920*1080"}, usual(5, tier=1080, size="1920*1080")),
        ("wan2.5-t2v-preview", {}, {"video_duration": 5, "video_ratio": "832*480", "video_count": 1}),
        ("wan2.2-t2v-plus", {"size": "624*624"}, {"video_duration": 5, "video_ratio": "624*624", "video_count": 1}),
        ("wanx2.1-t2v-turbo", {}, {"video_duration": 5, "video_ratio": "832*480", "video_count": 1}),
        ("wanx2.1-t2v-plus", {}, {"video_duration": 5, "video_ratio": "1280*720", "video_count": 1}),
    ],
)
def test_usage_of_text(undrawn, kit, model, parameters, usage):
    answered = undrawn.ended(kit.body(model, job=TEXT, parameters=parameters))["usage"]
    assert answered == usage
    assert {name: type(value) for name, value in answered.items()} == {k: type(v) for k, v in usage.items()}


@pytest.mark.parametrize(
    ("job", "model", "shown"),
    [
        (TEXT, "wan3.0-video", False),
        (TEXT, "wan2.7-t2v", False),
        (TEXT, "happyhorse-1.1-t2v", False),
        (TEXT, "wan2.6-t2v", False),
        (TEXT, "wan2.6-t2v-us", False),
        (TEXT, "wan2.5-t2v-preview", True),
        (TEXT, "wan2.2-t2v-plus", True),
        (TEXT, "wanx2.1-t2v-turbo", True),
        (REFERENCE, "wan2.6-r2v", False),
        (REFERENCE, "wan2.7-r2v", False),
        (EDIT, "wan2.7-videoedit", False),
    ],
)
def test_the_rewritten_prompt_is_shown_by_the_older_models_where_it_was_wanted(undrawn, kit, job, model, shown):
    output = undrawn.ended(kit.body(model, job=job))["output"]
    assert output["orig_prompt"] == kit.PROMPTS.get(job, "a cat")
    assert ("actual_prompt" in output) == shown
    unwanted = kit.body(model, job=job, parameters={"prompt_extend": False})
    assert "actual_prompt" not in undrawn.ended(unwanted)["output"]


CLIPS = {
    # wan2.7: 5 s are shared by the clips.
    ("wan2.7-r2v", 0, (10,)): 5,
    ("wan2.7-r2v", 4, (10,)): 5,
    ("wan2.7-r2v", 0, (3,)): 3,
    ("wan2.7-r2v", 0, (10, 2)): 2.5 + 2,
    ("wan2.7-r2v", 2, (4, 4, 1)): 1.65 + 1.65 + 1,
    ("wan2.7-r2v", 0, (4, 4, 4, 4)): 5,
    ("wan2.7-r2v", 0, (4, 4, 4, 4, 4)): 5,
    ("wan2.7-r2v", 1, ()): 0,
    # wan2.6: by all references, pictures too.
    ("wan2.6-r2v", 0, (10,)): 5,
    ("wan2.6-r2v", 1, (10,)): 2.5,
    ("wan2.6-r2v", 2, (10,)): 1.65,
    ("wan2.6-r2v-flash", 3, (10, 1)): 2,
    ("wan2.6-r2v-flash", 0, (2, 2, 1)): 1.65 + 1.65 + 1,
    ("wan2.6-r2v", 3, ()): 0,
    # wan3.0: all seconds.
    ("wan3.0-video", 0, (10,)): 10,
    ("wan3.0-video", 3, (4.5, 6)): 10.5,
    ("wan3.0-video", 1, ()): 0,
    ("happyhorse-1.1-r2v", 2, ()): 0,
}


@pytest.mark.parametrize(("model", "images", "clips"), CLIPS)
def test_the_seconds_of_references_that_are_billed(undrawn, kit, model, images, clips):
    media = {f"{IMAGE}#{n}": "https://example.com/a.png" for n in range(images)}
    for number, seconds in enumerate(clips):
        media[f"{CLIP}#{number}"] = undrawn.upload("a.mp4", kit.clip(seconds), model=model)
    body = kit.body(model, job=REFERENCE, media=media, parameters={"duration": 4})
    usage = undrawn.ended(body, headers=OSS)["usage"]
    billed = pytest.approx(CLIPS[model, images, clips], abs=0.011)
    assert usage["input_video_duration"] == billed
    assert usage["output_video_duration"] == 4
    assert usage["duration"] == pytest.approx(4 + usage["input_video_duration"], abs=0.001)
    own = {"wan2.6": {"size"}, "wan2.7": {"ratio"}, "happyh": {"ratio"}, "wan3.0": {"ratio", "fps"}}[model[:6]]
    usual_ = {"duration", "input_video_duration", "output_video_duration", "video_count", "SR"}
    assert set(usage) == usual_ | own


@pytest.mark.parametrize(
    ("job", "model", "clip", "parameters", "used"),
    [
        (EDIT, "wan2.7-videoedit", 5.5, {}, (11, 5.5, 5.5)),
        (EDIT, "wan2.7-videoedit", 5.5, {"duration": 0}, (11, 5.5, 5.5)),
        (EDIT, "wan2.7-videoedit", 5.5, {"duration": 3}, (8.5, 5.5, 3)),
        (EDIT, "happyhorse-1.0-video-edit", 6.5, {}, (13, 6.5, 6.5)),
        (EDIT, "happyhorse-1.0-video-edit", 20, {}, (35, 20, 15)),
        (EDIT, "wan3.0-video", 15, {"duration": -1}, (30, 15, 15)),
        (EDIT, "wan3.0-video", 15, {}, (20, 15, 5)),
        (EXTENSION, "wan3.0-video", 5, {"duration": 7}, (12, 5, 7)),
        (EXTENSION, "wan3.0-video", 5.5, {"duration": 10}, (15.5, 5.5, 10)),
    ],
)
def test_the_seconds_of_edits_and_extensions(undrawn, kit, job, model, clip, parameters, used):
    kind = "video" if "edit" in model else CLIP
    url = undrawn.upload("a.mp4", kit.clip(clip, size=(480, 360)), model=model)
    body = kit.body(model, job=job, media={kind: url}, parameters={"duration": None, **parameters})
    usage = undrawn.ended(body, headers=OSS)["usage"]
    assert (usage["duration"], usage["input_video_duration"], usage["output_video_duration"]) == used
    assert undrawn.scenes[0].duration == used[2]
    assert ("ratio" in usage) == (model == "wan3.0-video")
    if "ratio" in usage:
        assert usage["ratio"] == "4:3"


@pytest.mark.parametrize(("first_frame", "ratio"), [(True, "4:3"), (False, "9:16")])
def test_the_shape_of_a_first_frame_is_that_of_the_video(undrawn, kit, first_frame, ratio):
    media = {"first_frame": kit.data_uri(kit.image())} if first_frame else {}
    media[IMAGE] = "https://example.com/a.png"
    body = kit.body("wan2.7-r2v", media=media, parameters={"ratio": "9:16"})
    assert undrawn.ended(body)["usage"]["ratio"] == ratio
