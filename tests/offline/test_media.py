"""Which media each model takes, in which form and on which path (newer-models.md sections 0 to 4 and 9)."""

from __future__ import annotations

import itertools

import pytest
from wanpack.offline.tasks import Timing
from wanpack.wan.catalog.models import MODELS

SYNTHESIS = "/services/aigc/video-generation/video-synthesis"
KEYFRAMES = "/services/aigc/image2video/video-synthesis"
KINDS = ("first_frame", "last_frame", "driving_audio", "first_clip")
REFERENCES = ("reference_image", "reference_video", "reference_audio", "file", "link")
OSS = {"X-DashScope-OssResourceResolve": "enable"}

FIRST = {"first_frame"}
PAIR = {"first_frame", "last_frame"}
WITH_AUDIO = [FIRST, FIRST | {"driving_audio"}]
WAN_2_7 = [*WITH_AUDIO, PAIR, PAIR | {"driving_audio"}, {"first_clip"}, {"first_clip", "last_frame"}]
LEGAL = {
    "wan2.6-i2v-flash": WITH_AUDIO,
    "wan2.6-i2v": WITH_AUDIO,
    "wan2.6-i2v-us": WITH_AUDIO,
    "wan2.5-i2v-preview": WITH_AUDIO,
    "wan2.2-i2v-flash": [FIRST],
    "wan2.2-i2v-plus": [FIRST],
    "wanx2.1-i2v-turbo": [FIRST],
    "wanx2.1-i2v-plus": [FIRST],
    "wan2.7-i2v": WAN_2_7,
    "wan2.7-i2v-2026-04-25": WAN_2_7,
    "wan3.0-video": [FIRST, PAIR],
    "wan3.0-video-prime": [FIRST, PAIR],
    "happyhorse-1.1-i2v": [FIRST],
    "happyhorse-1.0-i2v": [FIRST],
    "wan2.2-kf2v-flash": [PAIR],
}
LISTED = [model for model in LEGAL if model.startswith(("wan2.7", "wan3.0", "happyhorse"))]
ADDRESS = {
    "first_frame": "https://example.com/a.png",
    "last_frame": "https://example.com/b.png",
    "driving_audio": "https://example.com/a.mp3",
    "first_clip": "https://example.com/a.mp4",
}
SUBSETS = [set(some) for size in range(1, 5) for some in itertools.combinations(KINDS, size)]


def listed(kit, model, *items, **more):
    """A body with this list of media."""
    return kit.body(model, input={"media": list(items)}, **more)


def item(kind):
    return {"type": kind, "url": ADDRESS.get(kind, "https://example.com/x")}


def test_the_table_is_about_every_model():
    assert set(LEGAL) == set(MODELS)


@pytest.mark.parametrize("model", LISTED)
def test_exactly_the_legal_sets_are_taken(make_server, kit, model):
    api = make_server(running_limit=0)
    taken = []
    for kinds in SUBSETS:
        media = {kind: ADDRESS[kind] for kind in sorted(kinds)}
        task_id = api.submit(kit.body(model, media=media))
        task = api.server.tasks[-1]
        assert task.id == task_id
        if task.failure is None:
            taken.append(kinds)
            assert task.inputs.media == media
        else:
            assert task.failure.code == "InvalidParameter"
            assert model in task.failure.message or ": input.media." in task.failure.message
    assert sorted(map(sorted, taken)) == sorted(map(sorted, LEGAL[model]))


@pytest.mark.parametrize("model", [model for model in LEGAL if model not in LISTED])
def test_the_older_forms_have_a_field_for_each_kind(make_server, kit, model):
    api = make_server(running_limit=0)
    for legal in LEGAL[model]:
        api.submit(kit.body(model, media={kind: ADDRESS[kind] for kind in sorted(legal)}))
        assert api.server.tasks[-1].inputs.media == {kind: ADDRESS[kind] for kind in legal}
    every = set.union(*LEGAL[model])
    for kind, name in (("driving_audio", "audio_url"), ("last_frame", "last_frame_url"), ("first_frame", "img_url")):
        field_of_another = "kf2v" in model if name == "img_url" else kind not in every
        if field_of_another:
            noted = api.server.notes_of(api.submit(kit.body(model, input={name: ADDRESS[kind]})))
            assert f"input.{name} is ignored: {model} has no such field" in noted


@pytest.mark.parametrize("model", LEGAL)
def test_the_path_is_the_models(api, kit, model):
    right, wrong = (KEYFRAMES, SYNTHESIS) if "kf2v" in model else (SYNTHESIS, KEYFRAMES)
    response = api.create(kit.body(model), path=wrong)
    assert response.status_code == 400
    assert (response.json()["code"], response.json()["message"]) == ("InvalidParameter", "url error, please check url!")
    assert api.server.tasks == []
    assert api.create(kit.body(model), path=right).status_code == 200


def test_a_wrong_name_is_reported_on_either_path(api, kit):
    for path in (SYNTHESIS, KEYFRAMES):
        response = api.create({**kit.body(), "model": "wan9"}, path=path)
        assert (response.status_code, response.json()["message"]) == (400, "Model not exist.")


@pytest.mark.parametrize("model", [model for model in LISTED if not model.startswith("wan3.0")])
@pytest.mark.parametrize(
    "given", [{"img_url": ADDRESS["first_frame"]}, {"first_frame_url": ADDRESS["first_frame"]}, {"media": []}]
)
def test_a_body_without_the_list_of_media_fails_as_measured(api, kit, model, given):
    body = kit.body(model, input={"media": None, **given})
    assert api.failure(body) == ("InvalidParameter", "Field required: input.media")


@pytest.mark.parametrize("model", [model for model in LISTED if not model.startswith("wan3.0")])
def test_words_alone_make_no_video(api, kit, model):
    assert api.failure(kit.body(model, media={}, input={"media": None})) == (
        "InvalidParameter",
        "Field required: input.media",
    )


@pytest.mark.parametrize("model", [model for model in LEGAL if model not in LISTED])
def test_the_newer_form_is_unknown_to_the_older_models(api, kit, model):
    media = [item("first_frame")]
    needed = ["first_frame_url", "last_frame_url"] if "kf2v" in model else ["img_url"]
    body = kit.body(model, media={}, input={"media": media})
    message = " & ".join(f"Field required: input.{name}" for name in needed)
    assert api.failure(body) == ("InvalidParameter", message)
    noted = api.server.notes_of(api.submit(kit.body(model, input={"media": media})))
    assert f"input.media is ignored: {model} has no such field" in noted


@pytest.mark.parametrize("missing", ["first_frame", "last_frame"])
def test_first_and_last_frame_are_both_required(api, kit, missing):
    media = {kind: ADDRESS[kind] for kind in PAIR - {missing}}
    assert api.failure(kit.body("wan2.2-kf2v-flash", media=media))[1] == f"Field required: input.{missing}_url"


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"url": "https://example.com/b.png"}, "Field required: input.media.1.type"),
        ({"type": "last_frame"}, "Field required: input.media.1.url"),
        ({"type": None, "url": "https://example.com/b.png"}, "Field required: input.media.1.type"),
    ],
)
def test_an_item_that_lacks_something_fails_with_its_place(api, kit, second, message):
    body = listed(kit, "wan2.7-i2v", item("first_frame"), second)
    assert api.failure(body) == ("InvalidParameter", message)


WAN_2_7_TYPES = "'first_frame', 'last_frame', 'driving_audio' or 'first_clip'"
WAN_3_TYPES = "'first_frame', 'last_frame', 'reference_image', 'reference_video', 'reference_audio', 'file' or 'link'"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("https://example.com/a.png", "Input should be a valid dictionary: input.media.0"),
        ({"type": 1, "url": "https://example.com/a.png"}, "Input should be a valid string: input.media.0.type"),
        ({"type": "first_frame", "url": ["x"]}, "Input should be a valid string: input.media.0.url"),
        ({"type": "image", "url": "https://x.de/a.png"}, f"Input should be {WAN_2_7_TYPES}: input.media.0.type"),
        ({"type": "image"}, f"Input should be {WAN_2_7_TYPES}: input.media.0.type & Field required: input.media.0.url"),
        ({"type": "video", "url": "https://x.de/a.mp4"}, f"Input should be {WAN_2_7_TYPES}: input.media.0.type"),
    ],
)
def test_an_item_of_another_form_fails_and_is_named(api, kit, wrong, message):
    assert api.failure(listed(kit, "wan2.7-i2v", wrong)) == ("InvalidParameter", message)


def test_the_types_are_the_models(api, kit):
    unknown = {"type": "video", "url": "https://example.com/a.mp4"}
    for model, types in (("wan3.0-video", WAN_3_TYPES), ("happyhorse-1.1-i2v", "'first_frame'")):
        assert api.failure(listed(kit, model, unknown))[1] == f"Input should be {types}: input.media.0.type"


def test_an_unknown_field_of_an_item_is_ignored(api, kit):
    voiced = {**item("first_frame"), "reference_voice": "https://example.com/a.mp3"}
    api.submit(listed(kit, "wan2.7-i2v", voiced))
    assert api.server.tasks[0].inputs.media == {"first_frame": ADDRESS["first_frame"]}


def test_a_list_of_another_type_fails(api, kit):
    message = api.failure(kit.body("wan2.7-i2v", input={"media": {"type": "first_frame"}}))[1]
    assert message == "Input should be a valid list: input.media"


def test_an_older_field_beside_the_list_is_ignored(api, kit):
    body = kit.body("wan2.7-i2v", input={"img_url": ADDRESS["first_frame"]})
    assert "input.img_url is ignored: wan2.7-i2v has no such field" in api.server.notes_of(api.submit(body))


@pytest.mark.parametrize("model", LISTED)
def test_each_type_comes_once(api, kit, model):
    code, message = api.failure(listed(kit, model, item("first_frame"), item("first_frame")))
    assert code == "InvalidParameter"
    assert "first_frame + first_frame cannot be used together" in message


def test_an_illegal_set_is_reported_with_the_legal_ones(api, kit):
    assert api.failure(listed(kit, "wan2.7-i2v", item("last_frame")))[1] == (
        "The media types last_frame cannot be used together with wan2.7-i2v. Supported: first_frame, or "
        "first_frame + driving_audio, or first_frame + last_frame, or first_frame + last_frame + driving_audio, or "
        "first_clip, or first_clip + last_frame."
    )


@pytest.mark.parametrize("kind", REFERENCES)
def test_wan3_takes_no_frames_beside_references(api, kit, kind):
    reported = (
        "The two modes are mutually exclusive. Do not pass reference_xx and first_frame/last_frame at the same time."
    )
    for frame in ("first_frame", "last_frame"):
        body = listed(kit, "wan3.0-video", item(frame), item(kind))
        assert api.failure(body) == ("InvalidParameter", reported)


@pytest.mark.parametrize("model", ["wan3.0-video", "wan3.0-video-prime"])
@pytest.mark.parametrize("kinds", [("file",), ("link",), ("reference_image", "file")])
def test_what_the_pack_does_not_ask_of_wan3_is_not_made_here(api, kit, model, kinds):
    message = api.failure(listed(kit, model, *map(item, kinds)))[1]
    assert message == f"Offline mode makes no video from {kinds[-1]} with {model}; DashScope does."


def test_a_wrong_form_is_pending_first_and_failed_a_moment_later(make_server, clock, kit):
    api = make_server(clock=clock, timing=Timing(queued=20, rendering=60), running_limit=1)
    api.submit(kit.body("wan2.7-i2v"))
    response = api.create(kit.body("wan2.7-i2v", input={"media": None}))
    assert (response.status_code, response.json()["output"]["task_status"]) == (200, "PENDING")
    task_id = response.json()["output"]["task_id"]
    clock.advance(0.05)
    assert api.state(task_id) == "PENDING"
    clock.advance(0.06)
    assert api.query(task_id)["output"]["message"] == "Field required: input.media"
    assert api.state(api.server.tasks[0].id) == "PENDING"


def test_what_fails_at_once_takes_nobodys_place(make_server, clock, kit):
    api = make_server(clock=clock, timing=Timing(queued=1, rendering=20), running_limit=1)
    ids = [api.submit(kit.body("wan2.7-i2v", parameters={"seed": seed})) for seed in (1, 2)]
    assert api.server.wait_idle()
    clock.advance(1)
    wrong = api.submit(kit.body("wan2.7-i2v", input={"media": None}))
    clock.advance(0.2)
    assert [api.state(one) for one in [*ids, wrong]] == ["RUNNING", "PENDING", "FAILED"]
    clock.advance(7.8)  # 2 s of 720P take 8 s.
    assert [api.state(one) for one in ids] == ["SUCCEEDED", "RUNNING"]
    assert api.query(ids[1])["output"]["scheduled_time"][-6:] == "09.000"


@pytest.mark.parametrize("model", LEGAL)
@pytest.mark.slow
def test_every_model_makes_a_video_of_uploads(api, kit, model):
    """Each legal set of each model, its files in the temporary storage, seen through to the file."""
    files = {
        "first_frame": ("a.png", kit.image(kind="PNG")),
        "last_frame": ("b.jpg", kit.image()),
        "driving_audio": ("a.wav", kit.wav(3)),
        "first_clip": ("a.mp4", kit.clip(2)),
    }
    for legal in LEGAL[model]:
        media = {kind: api.upload(*files[kind], model=model) for kind in sorted(legal)}
        duration = {"duration": 3} if "first_clip" in legal else {}
        reply = api.ended(kit.body(model, media=media, parameters=duration), headers=OSS)
        assert reply["output"]["task_status"] == "SUCCEEDED", reply
        assert api.server.notes_of(reply["output"]["task_id"]) == []
        used = reply["usage"]
        assert used.get("duration", used.get("video_duration")) == api.server.tasks[-1].inputs.duration
        video = api.session.get(reply["output"]["video_url"], timeout=10)
        assert video.content[4:8] == b"ftyp"
