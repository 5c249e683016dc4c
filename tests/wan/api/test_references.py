"""How a prompt names its references, and by which words it asks for its job."""

from __future__ import annotations

import pytest
from wanpack.wan.api.references import names_of, reference_problems, reference_warnings, with_lead_in
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.jobs import ROWS

REFERENCE, EDIT, EXTENSION = "reference_to_video", "video_edit", "video_extension"
WAN_3, WAN_2_7, HORSE, FLASH = "wan3.0-video", "wan2.7-r2v", "happyhorse-1.1-r2v", "wan2.6-r2v-flash"


def keys(images=0, clips=0, sounds=0):
    """The keys of so many references."""
    counts = {"reference_image": images, "reference_video": clips, "reference_audio": sounds}
    return [f"{kind}#{number + 1}" for kind, count in counts.items() for number in range(count)]


def problems(prompt, *, model=WAN_3, job=REFERENCE, seconds=5, given=()):
    row = ROWS[job][model]
    request = VideoRequest(model=model, job=job, prompt=prompt, resolution="720P", duration=seconds)
    return reference_problems(request, row, provided=given, clip_seconds=None)


def warnings(prompt, *, model, given):
    request = VideoRequest(model=model, job=REFERENCE, prompt=prompt, resolution="720P", duration=5)
    return reference_warnings(request, ROWS[REFERENCE][model], provided=given)


# The prompt, the references there are, and those that it names and that are not there.
NAMES = [
    (WAN_3, "A man walks.", keys(images=1), []),
    (WAN_3, "Image 1 walks to Image 2.", keys(images=2), []),
    (WAN_3, "Image 1 walks to Image 2.", keys(images=1), ["Image 2"]),
    (WAN_3, "image 1 walks to IMAGE 2.", keys(images=1), ["IMAGE 2"]),
    (WAN_3, "Image1 walks to Image2.", keys(images=1), ["Image2"]),
    (WAN_3, "Image 1, Video 1 and Audio 1", keys(images=1, clips=1, sounds=1), []),
    (WAN_3, "Image 1, Video 1 and Audio 1", keys(images=1), ["Video 1", "Audio 1"]),
    (WAN_3, "Image 1, Video 1 and Audio 1", keys(clips=1), ["Image 1", "Audio 1"]),
    (WAN_3, "the dance of Video 3", keys(images=3, clips=2), ["Video 3"]),
    (WAN_3, "Image 10 smiles", keys(images=10), []),
    (WAN_3, "Image 10 smiles", keys(images=1), ["Image 10"]),
    (WAN_3, "Image 1 smiles", keys(images=10), []),
    (WAN_3, "Image 0 smiles", keys(images=1), ["Image 0"]),
    (WAN_3, "Image 1's hat on Image 3's head, (Image 4)", keys(images=2), ["Image 3", "Image 4"]),
    (WAN_3, "Image 2 and Image 2 again", keys(images=1), ["Image 2"]),
    (WAN_3, "Imagery 5 of the sea", keys(images=1), []),
    (WAN_3, "MyImage 5, subimage 5", keys(images=1), []),
    (WAN_3, "Image one", keys(images=1), []),
    (WAN_3, "@Image9", keys(images=1), ["Image9"]),
    (WAN_3, "a video 10 seconds long, of 1000 images, Video 5s, video 4K, video 720p", keys(images=1), []),
    (WAN_3, "Audio 5.1 surround", keys(images=1), []),
    (WAN_3, "a video 9:16, video 12 fps, video 3-second loop, video 360 around", keys(images=1), []),
    (WAN_3, "Image 2: the hat. Image 3:the coat", keys(images=1), ["Image 2", "Image 3"]),
    (WAN_3, "竖屏视频9:16，视频16：9", keys(images=1), []),
    (WAN_3, "like Image 2. Image 1 waits.", keys(images=1), ["Image 2"]),
    (WAN_3, "图1走向图2", keys(images=2), []),
    (WAN_3, "图1走向图2", keys(images=1), ["图2"]),
    (WAN_3, "图片1走向图片2", keys(images=2), []),
    (WAN_3, "图片1走向图片2", keys(images=1), ["图片2"]),
    (WAN_3, "参考图2的衣服", keys(images=1), ["图2"]),
    (WAN_3, "图10", keys(images=9), ["图10"]),
    (WAN_3, "视频1的动作，音频1的声音", keys(clips=1, sounds=1), []),
    (WAN_3, "视频1的动作，音频1的声音", keys(images=1), ["视频1", "音频1"]),
    (WAN_3, "插图2，地图3，草图4，构图5", keys(images=1), []),
    (WAN_3, "视频5秒，视频2段，音频3 秒，图3张", keys(images=1), []),
    (WAN_3, "让图1说：Video 2", keys(images=1), ["Video 2"]),
    (WAN_2_7, "Image 1 dances like Video 1", keys(images=1, clips=1), []),
    (WAN_2_7, "Image 2 dances like Video 2", keys(images=1, clips=1), ["Image 2", "Video 2"]),
    (WAN_2_7, "图片2像视频1那样跳舞", keys(images=2, clips=1), []),
    (WAN_2_7, "图3", keys(images=2, clips=1), ["图3"]),
    # The first frame is not counted.
    (WAN_2_7, "Image 2 waits", ["first_frame", *keys(images=1)], ["Image 2"]),
    (WAN_2_7, "Image 1 waits", ["first_frame", *keys(images=1)], []),
    # Nor is a voice.
    (WAN_2_7, "Image 2 waits", [*keys(images=1), "reference_image#1/reference_voice"], ["Image 2"]),
    (HORSE, "The dancer in [Image 1] opens the fan in [Image 2]", keys(images=2), []),
    (HORSE, "The dancer in [Image 1] opens the fan in [Image 2]", keys(images=1), ["[Image 2]"]),
    (HORSE, "[image 3] and [Image4]", keys(images=2), ["[image 3]", "[Image4]"]),
    (HORSE, "[Image 9]", keys(images=9), []),
    (FLASH, "character1 gives character2 a hat", keys(images=1, clips=1), []),
    (FLASH, "Character1 gives character3 a hat", keys(images=1, clips=1), ["character3"]),
    (FLASH, "character5", keys(images=3, clips=2), []),
    (FLASH, "character10", keys(images=3, clips=2), ["character10"]),
    (FLASH, "characters 7, supercharacter7", keys(images=1), []),
]


@pytest.mark.parametrize(("model", "prompt", "given", "missing"), NAMES)
def test_a_name_of_what_is_not_there_is_told(model, prompt, given, missing):
    found = problems(prompt, model=model, given=given)
    if not missing:
        assert found == []
        return
    [fault] = found
    assert fault.startswith(
        f"prompt: names {', '.join(missing)}, but there is no such reference; {model} calls the references "
    )


# The prompt, and the names in it that are those of another model.
FOREIGN = [
    (WAN_3, "character1 waves at Image 1", ["character1"]),
    (WAN_2_7, "Character1 and character2 dance", ["Character1", "character2"]),
    (HORSE, "The dancer in Image 1 and [Image 1]", ["Image 1"]),
    (HORSE, "图1走向图片1", ["图1", "图片1"]),
    (HORSE, "character1 opens the fan", ["character1"]),
    (FLASH, "Image 1 beside [Image 2]", ["Image 1", "[Image 2]"]),
    (FLASH, "图1里的人像视频1那样跳舞", ["图1", "视频1"]),
]


@pytest.mark.parametrize(("model", "prompt", "names"), FOREIGN)
def test_the_name_of_another_model_is_told(model, prompt, names):
    given = keys(images=1)
    assert problems(prompt, model=model, given=given) == []
    [told] = warnings(prompt, model=model, given=given)
    foreign, own = told.removeprefix(f"prompt: {model} may not know ").split("; it calls the references ")
    assert sorted(foreign.split(", ")) == sorted(names)
    assert warnings(own, model=model, given=given) == []


# What they are called then.
TOLD = [
    (WAN_3, "Image 5", keys(images=2, clips=1, sounds=1), "Image 1, Image 2, Video 1, Audio 1"),
    (WAN_3, "Image 5", keys(clips=1), "Video 1"),
    (WAN_3, "图5", keys(images=2, clips=1, sounds=1), "图1, 图2, 视频1, 音频1"),
    (WAN_2_7, "Video 2", ["first_frame", *keys(images=1, clips=1)], "Image 1, Video 1"),
    (WAN_2_7, "视频2", keys(images=1, clips=1), "图1, 视频1"),
    (HORSE, "[Image 3]", keys(images=2), "[Image 1], [Image 2]"),
    (FLASH, "character4", keys(images=1, clips=2), "character1, character2, character3"),
]


@pytest.mark.parametrize(("model", "prompt", "given", "names"), TOLD)
def test_the_names_of_what_is_there_are_told(model, prompt, given, names):
    [fault] = problems(prompt, model=model, given=given)
    assert fault.endswith(f"{model} calls the references {names}")


def test_an_edit_and_an_extension_name_their_clip_too():
    given = keys(images=1, clips=1)
    assert problems("Edit Video 1: the coat of Image 1", job=EDIT, given=given) == []
    assert problems("Extend Video 1 forward", job=EXTENSION, given=given) == []
    [fault] = problems("Edit Video 2", job=EDIT, given=given)
    assert fault.endswith(
        "names Video 2, but there is no such reference; wan3.0-video calls the references Image 1, Video 1"
    )
    # Its pages give no names.
    given = ["video#1", "reference_image#1"]
    assert problems("the coat of Image 7", model="wan2.7-videoedit", job=EDIT, given=given) == []


def test_names_of_the_wrong_count_of_references_are_told_after_that():
    [fault] = problems("Image 12", given=keys(images=11))
    assert fault == "references: 11 images are too many for wan3.0-video; use at most 10"


def test_models_without_references_have_no_names():
    assert names_of(ROWS["text_to_video"]["wan2.7-t2v"], {}) == []
    assert names_of(ROWS[EDIT]["wan2.7-videoedit"], {}) == []


ENGLISH, CHINESE = "Edit Video 1: ", "编辑视频，"
FORWARD, BACK = "Extend Video 1 forward: ", "将视频1向后延长，"


@pytest.mark.parametrize(
    ("job", "prompt", "added"),
    [
        (EDIT, "Make it night.", ENGLISH),
        (EDIT, "变成夜晚", CHINESE),
        (EDIT, "Make it 夜晚", CHINESE),
        (EDIT, "Edit the clip: night", ""),
        (EDIT, "REMOVE the hat", ""),
        (EDIT, "the hat is replaced by a cap", ""),
        (EDIT, "hats edited out", ""),
        (EDIT, "去掉帽子", ""),
        (EDIT, "把帽子替换为围巾", ""),
        (EDIT, "将画面改成黏土动画", ""),
        (EDIT, "编辑视频", ""),
        (EDIT, "请edit视频", ""),
        # No word of it asks for an edit.
        (EDIT, "A monk in meditation, an editor with credit", ENGLISH),
        # The first word decides what the service makes of the clip.
        (EDIT, "Extend her arm, remove the hat", ENGLISH),
        (EDIT, "延长视频", CHINESE),
        (EDIT, "", ""),
        (EDIT, "  \n", ""),
        (EXTENSION, "She walks on.", FORWARD),
        (EXTENSION, "她继续走", BACK),
        (EXTENSION, "Extend Video 1 backward: she comes in", ""),
        (EXTENSION, "The clip is extended", ""),
        (EXTENSION, "将视频1向前延长", ""),
        (EXTENSION, "延续动作", ""),
        (EXTENSION, "续写故事", ""),
        (EXTENSION, "To a large extent she waits", FORWARD),
        (EXTENSION, "Edit Video 1", FORWARD),
        (EXTENSION, "", ""),
    ],
)
def test_words_that_ask_for_the_job_are_put_before_a_prompt_without_any(job, prompt, added):
    for name in ("wan3.0-video", "wan3.0-video-prime"):
        assert with_lead_in(prompt, ROWS[job][name]) == added + prompt


@pytest.mark.parametrize(("job", "model"), [(REFERENCE, WAN_3), (EDIT, "wan2.7-videoedit"), ("text_to_video", WAN_3)])
def test_other_rows_leave_a_prompt_as_it_is(job, model):
    assert with_lead_in("Make it night.", ROWS[job][model]) == "Make it night."


def test_what_is_no_prompt_stays_for_the_validation_to_report():
    assert with_lead_in(5, ROWS[EDIT][WAN_3]) == 5
    assert with_lead_in("Make it night.", None) == "Make it night."


@pytest.mark.parametrize(
    ("model", "prompt", "given", "words"),
    [
        (WAN_3, "Image 1 dances like Video 1", keys(images=1, clips=1), ""),
        (WAN_3, "Remove the hat and extend the scene", keys(clips=1), "remove, extend"),
        (WAN_3, "把视频1延长，编辑", keys(clips=1), "编辑, 延长"),
        (WAN_3, "a meditating editor", keys(clips=1), ""),
        # Without a clip there is nothing to edit.
        (WAN_3, "Remove the hat", keys(images=1), ""),
        (WAN_2_7, "Remove the hat", keys(clips=1), ""),
    ],
)
def test_words_by_which_the_service_would_edit_a_reference_are_reported(model, prompt, given, words):
    request = VideoRequest(model=model, job=REFERENCE, prompt=prompt)
    found = reference_warnings(request, ROWS[REFERENCE][model], provided=given)
    if not words:
        assert found == []
        return
    [told] = found
    assert told.startswith(f"prompt: {model} edits or extends the clip where the prompt says so ({words});")


def test_an_edit_may_say_so():
    request = VideoRequest(model=WAN_3, job=EDIT, prompt="Remove the hat")
    assert reference_warnings(request, ROWS[EDIT][WAN_3], provided=keys(clips=1)) == []
