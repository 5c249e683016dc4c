"""Batches with references: what is inline and what is uploaded, what is told before, and the request that comes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import media
import numpy as np
import pytest
from wanpack.wan.api.request import BODY_BYTES
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.jobs import ROWS
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.errors import InvalidRequest
from wanpack.wan.tasks.attachments import Attachments
from wanpack.wan.tasks.batch import Batch, validate_batch
from wanpack.wan.tasks.limits import limit_problems, video_cost
from wanpack.wan.tasks.media import Reference
from wanpack.wan.tasks.retry import Clock
from wanpack.wan.tasks.submit import PreparedRequest

TEXT, REFERENCE, EDIT, EXTENSION = "text_to_video", "reference_to_video", "video_edit", "video_extension"
SIDE = 480


class Desk:
    """Makes batches in a region, and takes their uploads."""

    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.environment = environment
        self.uploads: list[tuple[str, str, bytes]] = []
        self.go_to("beijing")

    def go_to(self, region: str) -> None:
        self.environment.setenv("DASHSCOPE_REGION", region)
        self.environment.setenv("DASHSCOPE_API_KEY", "sk-desk-71c5e0b2d8f94a36")
        self.environment.setenv("DASHSCOPE_WORKSPACE_ID", "ws-1234567890abcdef")

    def clip(self, seconds: float = 3.0, *, size: tuple[int, int] = (320, 360), fps: int = 20) -> Path:
        path = self.folder / f"clip-{seconds}-{size}-{fps}.mp4"
        if not path.exists():
            frames = (media.plain(40 + index % 200, size=size) for index in range(round(seconds * fps)))
            media.video(path, frames, fps=fps, codec="mpeg4")
        return path

    def batch(self, job: str, model: str, *references: Reference, **changes: object) -> Batch:
        row = ROWS[job][model]
        asked = {"resolution": row.resolutions[0], "duration": row.durations[0], "prompt": "a cat"}
        asked["ratio"] = row.ratios[0] if row.ratios else "adaptive"
        own = {name: changes.pop(name) for name in ("images", "videos", "audio") if name in changes}
        request = VideoRequest(model=model, job=job, **{**asked, **changes})
        rest = {"references": references, "clock": Clock(), **own}
        given = {"images": None, "output_folder": self.folder / "out", "filename_prefix": "wan/a", "home": self.folder}
        return Batch(request, **{**given, **rest})

    def problems(self, batch: Batch) -> list[str]:
        with pytest.raises(InvalidRequest) as caught:
            validate_batch(batch)
        return list(caught.value.problems)

    def sent(self, batch: Batch, *, indexes: tuple[int, ...] = (0,)):
        """The plan of a batch, and of each video the prepared request, the body and whether it names uploads."""
        plan = validate_batch(batch)
        attachments = Attachments(plan)
        found = []
        for index in indexes:
            prepared = PreparedRequest(plan, index, attachments)
            prepared.prepare()
            context = SimpleNamespace(client=SimpleNamespace(upload_file=self.upload), clock=batch.clock)
            create = asyncio.run(prepared.create_request(context, lambda *_: None))
            found.append((prepared, json.loads(create.encode()), create))
        return plan, found

    def upload(self, data: bytes, *, model_name: str, suffix: str, mime: str) -> str:
        self.uploads.append((model_name, suffix, data))
        assert mime in {".wav": "audio/wav", ".mp4": "video/mp4", ".png": "image/png", ".jpg": "image/jpeg"}[suffix]
        return f"oss://{len(self.uploads)}{suffix}"


@pytest.fixture
def desk(bare_environment, tmp_path):
    return Desk(tmp_path, bare_environment)


def picture(number: int = 0, *, side: int = SIDE, height: int = 0) -> Reference:
    image = np.full((height or side, side, 3), (0.2 + 0.1 * number) % 1, np.float32)
    return Reference("reference_image", f"image{number + 1}", image=image)


def noise(number: int, side: int = 1400) -> Reference:
    return Reference("reference_image", f"image{number + 1}", image=media.noise(side, seed=number)[0])


def film(path: Path, *, kind: str = "reference_video", name: str = "video1") -> Reference:
    return Reference(kind, name, open_clip=lambda: path)


def sound(seconds: float = 2.0, *, name: str = "audio1") -> Reference:
    return Reference("reference_audio", name, audio=media.audio(media.tone(seconds=seconds)))


def voiced(one: Reference, seconds: float = 2.0) -> Reference:
    return replace(one, voice=media.audio(media.tone(300, seconds)), voice_name=f"voice_of_{one.name}")


def items(body):
    return [(item["type"], item["url"][:4]) for item in body["input"]["media"]]


class TestWhatIsSent:
    def test_images_are_inline_and_clips_sounds_and_voices_uploaded(self, desk):
        batch = desk.batch(
            *(REFERENCE, "wan2.7-r2v", voiced(picture()), voiced(film(desk.clip())), picture(1)), duration=5
        )
        plan, [(_, body, create)] = desk.sent(batch)
        assert plan.media_kinds == [
            *("reference_image#1", "reference_image#1/reference_voice", "reference_video#1"),
            *("reference_video#1/reference_voice", "reference_image#2"),
        ]
        found = body["input"]["media"]
        assert items(body) == [("reference_image", "data"), ("reference_video", "oss:"), ("reference_image", "data")]
        assert [set(item) for item in found] == [{"type", "url", "reference_voice"}] * 2 + [{"type", "url"}]
        assert found[1]["url"].endswith(".mp4")
        assert {found[0]["reference_voice"][-4:], found[1]["reference_voice"][-4:]} == {".wav"}
        assert found[0]["reference_voice"] != found[1]["reference_voice"]
        assert (create.uses_uploads, create.path) == (True, "/services/aigc/video-generation/video-synthesis")
        assert {name for name, _, _ in desk.uploads} == {"wan2.7-r2v"}

    def test_wan_3_has_all_three_kinds(self, desk):
        given = (picture(), film(desk.clip(2.0)), sound(), picture(1), sound(3.0, name="audio2"))
        _, [(_, body, _)] = desk.sent(desk.batch(REFERENCE, "wan3.0-video", *given))
        assert items(body) == [
            *(("reference_image", "data"), ("reference_video", "oss:"), ("reference_audio", "oss:")),
            *(("reference_image", "data"), ("reference_audio", "oss:")),
        ]

    def test_a_first_frame_comes_before_the_references(self, desk):
        images = np.full((1, SIDE, SIDE, 3), 0.5, np.float32)
        batch = desk.batch(REFERENCE, "wan2.7-r2v", picture(), images=images)
        plan, [(prepared, body, create)] = desk.sent(batch)
        assert items(body) == [("first_frame", "data"), ("reference_image", "data")]
        assert (plan.count, create.uses_uploads) == (1, False)
        assert prepared.own_task().first_image().size == (SIDE, SIDE)

    def test_images_of_wan_2_6_are_uploaded_once_for_all_videos(self, desk):
        batch = desk.batch(
            *(REFERENCE, "wan2.6-r2v-flash", picture(), film(desk.clip()), picture(1)), videos=3, generate_audio=False
        )
        plan, found = desk.sent(batch, indexes=(0, 1, 2, 0))
        assert plan.count == 3
        bodies = [body for _, body, _ in found]
        urls = bodies[0]["input"]["reference_urls"]
        assert [url[:6] for url in urls] == ["oss://"] * 3
        assert [url[-4:] for url in urls] in (
            [".png", ".mp4", ".png"],
            [".jpg", ".mp4", ".jpg"],
        )
        assert all(body["input"] == bodies[0]["input"] for body in bodies)
        assert [body["parameters"]["seed"] for body in bodies] == [0, 1, 2, 0]
        assert bodies[0]["parameters"]["audio"] is False
        assert len(desk.uploads) == 3
        assert all(create.uses_uploads for _, _, create in found)

    def test_happyhorse_has_its_images_inline_everywhere(self, desk):
        for region in ("beijing", "virginia", "tokyo"):
            desk.go_to(region)
            _, [(_, body, create)] = desk.sent(desk.batch(REFERENCE, "happyhorse-1.1-r2v", *map(picture, range(9))))
            assert items(body) == [("reference_image", "data")] * 9
            assert not create.uses_uploads
        assert desk.uploads == []

    def test_an_edited_clip_is_uploaded_under_the_models_name(self, desk):
        given = (film(desk.clip(4.5), kind="video", name="video"), picture())
        plan, [(prepared, body, _)] = desk.sent(desk.batch(EDIT, "wan2.7-videoedit", *given, duration=0))
        assert items(body) == [("video", "oss:"), ("reference_image", "data")]
        assert [(name, suffix) for name, suffix, _ in desk.uploads] == [("wan2.7-videoedit", ".mp4")]
        assert (plan.seconds, plan.cost["amount"]) == (4.5, pytest.approx(9 * 0.6))
        record = prepared.prepare()
        assert (record.duration, record.estimate, record.prompt) == (round(4.5), plan.cost["amount"], "a cat")
        # Its first frame need not be the clip's.
        assert (prepared.own_task().first_image, prepared.own_task().seconds) == (None, 4.5)

    def test_a_clip_by_its_url_comes_first(self, desk):
        url = "https://example.com/figure.mp4"
        batch = desk.batch(EDIT, "happyhorse-1.0-video-edit", picture(), picture(1), video_url=url)
        plan, [(prepared, body, create)] = desk.sent(batch)
        assert body["input"]["media"][0] == {"type": "video", "url": url}
        assert items(body)[1:] == [("reference_image", "data")] * 2
        assert (plan.cost, create.uses_uploads) == (None, False)
        # Its price has a list, by which it is billed.
        assert dict(plan.priced) == {"estimate": 0.0, "currency": "CNY", "price_date": "2026-05-26"}
        assert plan.warnings == (
            "video_url: the seconds of this clip are billed too, and their number is unknown before the run",
        )
        assert prepared.own_task().seconds == 0

    def test_an_oss_url_needs_the_header(self, desk):
        batch = desk.batch(EDIT, "wan2.7-videoedit", video_url="oss://mine/a.mp4")
        _, [(_, _, create)] = desk.sent(batch)
        assert create.uses_uploads

    def test_a_text_has_nothing_but_its_words(self, desk):
        plan, [(prepared, body, create)] = desk.sent(desk.batch(TEXT, "wan2.5-t2v-preview", videos=4))
        assert (body["input"], plan.count, create.uses_uploads) == ({"prompt": "a cat"}, 4, False)
        own = prepared.own_task()
        assert (own.first_image, own.prompt, own.seconds) == (None, "a cat", 5)

    def test_a_text_speaks_an_audio_file(self, desk):
        audio = media.audio(media.tone(seconds=5))
        _, [(_, body, create)] = desk.sent(desk.batch(TEXT, "wan2.7-t2v", audio=audio, duration=5))
        assert body["input"] == {"prompt": "a cat", "audio_url": "oss://1.wav"}
        assert create.uses_uploads

    def test_videos_of_a_batch_differ_in_their_fingerprints_and_share_their_subject(self, desk):
        _, found = desk.sent(desk.batch(TEXT, "wan2.5-t2v-preview", videos=3), indexes=(0, 1, 2))
        records = [prepared.prepare() for prepared, _, _ in found]
        assert len({one.fingerprint for one in records}) == 3
        assert len({one.subject for one in records}) == 1

    def test_a_fingerprint_is_of_what_a_reference_has_and_not_of_its_upload(self, desk):
        def printed(*references: Reference) -> str:
            _, [(prepared, _, _)] = desk.sent(desk.batch(REFERENCE, "wan2.6-r2v-flash", *references))
            return prepared.prepare().fingerprint

        clip = film(desk.clip())
        assert printed(picture(), clip) == printed(picture(), clip)
        several = [
            printed(*given) for given in ((picture(), clip), (clip, picture()), (picture(1), clip), (picture(),))
        ]
        assert len(set(several)) == 4


class TestTooLarge:
    def test_the_largest_of_the_images_are_uploaded(self, desk):
        batch = desk.batch(REFERENCE, "wan2.7-r2v", noise(0), picture(1), noise(2, 1500), noise(3))
        _, [(prepared, body, create)] = desk.sent(batch)
        assert len(json.dumps(body)) <= BODY_BYTES
        schemes = [scheme for _, scheme in items(body)]
        assert schemes[1] == "data"
        assert schemes[2] == "oss:"
        assert create.uses_uploads
        # In the order of the inputs, each with its name.
        outside = [f"image{number + 1}" for number, scheme in enumerate(schemes) if scheme == "oss:"]
        assert prepared.notes == [f"{name}: uploaded to temporary storage, as the images are large" for name in outside]

    def test_without_storage_they_are_compressed_further(self, desk):
        desk.go_to("virginia")
        batch = desk.batch(REFERENCE, "wan3.0-video", noise(0), picture(1), noise(2))
        _, [(prepared, body, create)] = desk.sent(batch)
        assert len(json.dumps(body)) <= BODY_BYTES
        assert [scheme for _, scheme in items(body)] == ["data"] * 3
        assert not create.uses_uploads
        assert prepared.notes[0] == "image1, image3: compressed further to fit into one request"

    def test_images_of_one_input_are_told_once(self, desk):
        desk.go_to("virginia")
        batch = desk.batch(REFERENCE, "wan3.0-video", *(replace(noise(number), name="image1") for number in range(3)))
        _, [(prepared, _, _)] = desk.sent(batch)
        assert prepared.notes[0] == "image1: compressed further to fit into one request"
        assert len(prepared.notes) == len(set(prepared.notes))

    def test_happyhorse_without_uploads_compresses_in_beijing_too(self, desk):
        batch = desk.batch(REFERENCE, "happyhorse-1.1-r2v", noise(0), noise(1))
        _, [(prepared, body, create)] = desk.sent(batch)
        assert not create.uses_uploads
        assert len(json.dumps(body)) <= BODY_BYTES
        assert prepared.notes[0] == "image1, image2: compressed further to fit into one request"


class TestStorage:
    @pytest.mark.parametrize(
        ("region", "model", "made", "named"),
        [
            ("virginia", "wan3.0-video", "image", []),
            ("virginia", "wan3.0-video", "image clip sound", ["video1", "audio1"]),
            ("hongkong", "wan3.0-video", "clip", ["video1"]),
            ("singapore", "wan3.0-video", "image clip sound", []),
            ("virginia", "wan2.6-r2v", "image", ["image1"]),
            ("frankfurt", "wan2.6-r2v", "image clip", ["image1", "video1"]),
            ("singapore", "wan2.6-r2v", "image clip", []),
        ],
    )
    def test_what_a_region_cannot_store_is_told_by_its_input(self, desk, region, model, made, named):
        desk.go_to(region)
        ways = {"image": picture, "clip": lambda: film(desk.clip()), "sound": sound}
        batch = desk.batch(REFERENCE, model, *(ways[one]() for one in made.split()))
        if not named:
            validate_batch(batch)
            return
        title = {"virginia": "Virginia", "hongkong": "Hong Kong", "frankfurt": "Frankfurt"}[region]
        assert desk.problems(batch) == [f"{name}: {title} has no temporary storage for uploads" for name in named]

    def test_a_clip_that_happyhorse_edits_is_given_by_its_url(self, desk):
        given = film(desk.clip(size=(360, 400)), kind="video", name="video")
        batch = desk.batch(EDIT, "happyhorse-1.0-video-edit", given)
        assert desk.problems(batch) == [
            "video: DashScope documents no uploads for happyhorse-1.0-video-edit; enter the public URL of the clip in "
            "video_url instead"
        ]

    def test_a_clip_that_a_model_does_not_take_is_told_once(self, desk):
        batch = desk.batch(REFERENCE, "happyhorse-1.1-r2v", picture(), film(desk.clip()))
        assert desk.problems(batch) == [
            "references: happyhorse-1.1-r2v does not accept clips; it accepts images",
        ]

    def test_a_voice_needs_storage_too(self, desk):
        desk.go_to("virginia")
        said = desk.problems(desk.batch(REFERENCE, "wan2.7-r2v", voiced(picture())))
        assert "voice_of_image1: Virginia has no temporary storage for uploads" in said
        assert not [line for line in said if line.startswith("image1")]

    def test_the_sound_of_a_text_is_given_by_its_url(self, desk):
        desk.go_to("virginia")
        audio = media.audio(media.tone(seconds=5))
        assert desk.problems(desk.batch(TEXT, "wan2.6-t2v", audio=audio)) == [
            "audio: Virginia has no temporary storage for uploads; enter the URL of the audio in audio_url instead"
        ]


class TestLimits:
    @pytest.mark.parametrize(
        ("model", "side", "height", "said"),
        [
            ("happyhorse-1.1-r2v", 400, 400, False),
            ("happyhorse-1.1-r2v", 399, 500, True),
            ("happyhorse-1.1-r2v", 400, 1600, False),
            ("wan2.7-r2v", 240, 1920, False),
            ("wan2.7-r2v", 239, 300, True),
            ("wan2.7-r2v", 240, 1921, True),
            ("wan2.6-r2v", 240, 2400, False),
            ("wan3.0-video", 240, 1921, True),
        ],
    )
    def test_an_image_has_the_size_that_its_model_wants(self, desk, model, side, height, said):
        batch = desk.batch(REFERENCE, model, picture(), picture(1, side=side, height=height))
        if not said:
            validate_batch(batch)
            return
        [line] = desk.problems(batch)
        assert line.startswith("image2: ")

    @pytest.mark.parametrize(
        ("job", "model", "clips", "said"),
        [
            (REFERENCE, "wan2.7-r2v", [{"seconds": 1}], []),
            (REFERENCE, "wan2.7-r2v", [{"seconds": 0.9}], ["video1: 0.90 s is too short; DashScope accepts 1 to 30 s"]),
            (
                *(REFERENCE, "wan2.7-r2v", [{"seconds": 31, "fps": 2}]),
                ["video1: 31.00 s is too long; DashScope accepts 1 to 30 s"],
            ),
            (REFERENCE, "wan2.7-r2v", [{"seconds": 2, "fps": 5}], []),
            (
                *(REFERENCE, "wan3.0-video", [{"seconds": 2, "fps": 15}]),
                ["video1: 15 frames a second are not supported; DashScope accepts 16 and more"],
            ),
            (REFERENCE, "wan3.0-video", [{"seconds": 7.5}, {"seconds": 7.5}], []),
            (
                *(REFERENCE, "wan3.0-video", [{"seconds": 8}, {"seconds": 7.5}]),
                ["video1, video2: 15.5 s of clips are too long; use at most 15 s together"],
            ),
            (
                *(REFERENCE, "wan3.0-video", [{"seconds": 2, "size": (230, 320)}]),
                ["video1: 230x320 is not supported; each side must have 240 to 4096 px"],
            ),
            (EDIT, "wan2.7-videoedit", [{"seconds": 2}], []),
            (
                *(EDIT, "wan2.7-videoedit", [{"seconds": 10.5}]),
                ["video1: 10.50 s is too long; DashScope accepts 2 to 10 s"],
            ),
            (EXTENSION, "wan3.0-video", [{"seconds": 1}], []),
        ],
    )
    def test_clips_have_the_length_and_rate_that_their_model_wants(self, desk, job, model, clips, said):
        kind = "video" if model == "wan2.7-videoedit" else "reference_video"
        given = [film(desk.clip(**one), kind=kind, name=f"video{number + 1}") for number, one in enumerate(clips)]
        batch = desk.batch(job, model, *given)
        assert (desk.problems(batch) if said else list(validate_batch(batch).clips)[:0]) == said

    def test_a_file_that_is_no_clip_is_told_by_its_input(self, desk):
        path = desk.folder / "a.mp4"
        path.write_bytes(b"no video at all")
        said = desk.problems(desk.batch(REFERENCE, "wan2.7-r2v", film(desk.clip()), film(path, name="video2")))
        assert [line.partition(":")[0] for line in said] == ["video2"]

    @pytest.mark.parametrize(("seconds", "is_legal"), [(0.9, False), (1.0, True), (10.0, True), (10.5, False)])
    def test_a_voice_has_1_to_10_s(self, desk, seconds, is_legal):
        batch = desk.batch(REFERENCE, "wan2.7-r2v", voiced(picture(), seconds))
        if is_legal:
            validate_batch(batch)
        else:
            [line] = desk.problems(batch)
            assert line.startswith("voice_of_image1: ")

    @pytest.mark.parametrize(
        ("seconds", "said"),
        [
            ([15], None),
            ([5, 5, 5], None),
            ([16], "audio1: "),
            ([0.5], "audio1: "),
            ([8, 8], "references: 16.0 s of sounds are too long; use at most 15 s together"),
            ([3.5] * 5, "references: 17.5 s of sounds are too long; use at most 15 s together"),
        ],
    )
    def test_sounds_have_1_to_15_s_and_no_more_together(self, desk, seconds, said):
        given = [sound(one, name=f"audio{number + 1}") for number, one in enumerate(seconds)]
        batch = desk.batch(REFERENCE, "wan3.0-video", *given)
        if said is None:
            validate_batch(batch)
        else:
            [line] = desk.problems(batch)
            assert line.startswith(said)

    def test_the_seconds_of_clips_and_video_are_compared_as_they_are(self, desk):
        given = film(desk.clip(12.0, fps=16))
        validate_batch(desk.batch(REFERENCE, "wan3.0-video", given, duration=18))
        [line] = desk.problems(desk.batch(REFERENCE, "wan3.0-video", given, duration=19))
        assert line.startswith("duration: 19 s of video and 12.0 s of clips are too long for wan3.0-video; ")
        [line] = desk.problems(desk.batch(EXTENSION, "wan3.0-video", given, duration=12))
        assert line.startswith("duration: 12 s is the length of the complete video and must exceed the clip's 12.0 s")

    @pytest.mark.parametrize(("duration", "is_legal"), [(0, True), (2, True), (4, True), (5, False), (10, False)])
    def test_an_edit_cuts_its_clip_and_makes_it_no_longer(self, desk, duration, is_legal):
        batch = desk.batch(EDIT, "wan2.7-videoedit", film(desk.clip(3.5), kind="video"), duration=duration)
        if is_legal:
            validate_batch(batch)
        else:
            assert desk.problems(batch) == [
                f"duration: {duration} s is longer than the clip, which has 3.5 s; choose 0 for all of it"
            ]

    def test_words_that_would_edit_a_reference_are_reported(self, desk):
        plan = validate_batch(desk.batch(REFERENCE, "wan3.0-video", film(desk.clip()), prompt="Remove the hat"))
        [line] = plan.warnings
        assert line.startswith("prompt: wan3.0-video edits or extends the clip where the prompt says so (remove);")

    def test_all_problems_come_at_once(self, desk):
        desk.go_to("virginia")
        path = desk.folder / "a.mp4"
        path.write_bytes(b"no video at all")
        said = desk.problems(
            desk.batch(
                *(REFERENCE, "wan3.0-video", picture(side=100), film(path), sound(20.0)), duration=40, prompt="Image 2"
            )
        )
        assert sorted({line.partition(":")[0] for line in said}) == ["audio1", "duration", "image1", "prompt", "video1"]


class TestCost:
    @pytest.mark.parametrize(
        ("job", "model", "given", "changes", "amount"),
        [
            (TEXT, "wan2.5-t2v-preview", "", {"videos": 4}, 5 * 0.3),
            (REFERENCE, "wan2.7-r2v", "image clip", {"duration": 5}, (5 + 3) * 0.6),
            (REFERENCE, "wan2.7-r2v", "image", {"duration": 5}, 5 * 0.6),
            (REFERENCE, "wan2.6-r2v-flash", "image clip", {"duration": 5}, (5 + 2.5) * 0.3),
            (
                *(REFERENCE, "wan2.6-r2v-flash", "image clip"),
                *({"duration": 5, "generate_audio": False}, (5 + 2.5) * 0.15),
            ),
            (REFERENCE, "wan3.0-video", "image clip sound", {"duration": 5}, (5 + 3) * 0.3),
            (EDIT, "wan3.0-video", "clip image", {"duration": 0}, (3 + 3) * 0.3),
            (EXTENSION, "wan3.0-video", "clip", {"duration": 7}, (7 + 3) * 0.3),
        ],
    )
    def test_the_price_of_a_video_counts_its_clips(self, desk, job, model, given, changes, amount):
        ways = {"image": picture, "clip": lambda: film(desk.clip()), "sound": sound}
        plan = validate_batch(desk.batch(job, model, *(ways[one]() for one in given.split()), **changes))
        assert plan.cost["amount"] == pytest.approx(amount, abs=1e-4)
        assert plan.priced["estimate"] == plan.cost["amount"]

    def test_a_limit_is_told_with_the_other_problems_for_all_videos_of_a_text(self, desk, bare_environment):
        bare_environment.setenv("DASHSCOPE_WAN_LIMIT_PER_RUN", "5 CNY")
        said = desk.problems(desk.batch(TEXT, "wan2.5-t2v-preview", videos=4, shot_type="multi"))
        assert said[0].startswith("shot_type: ")
        assert "run would cost CNY 6.00 for 4 new videos; at most CNY 5.00 may be spent (limit_" in said[1]

    @pytest.mark.parametrize(
        ("job", "model", "references", "amount"),
        [(REFERENCE, "wan2.6-r2v-flash", 1, "3.75"), (EDIT, "wan2.7-videoedit", 0, "3.60")],
    )
    def test_a_limit_that_is_told_with_the_other_problems_counts_the_clips(
        self, desk, bare_environment, job, model, references, amount
    ):
        bare_environment.setenv("DASHSCOPE_WAN_LIMIT_PER_RUN", "0.5 CNY")
        given = [film(desk.clip(), kind="video" if job == EDIT else "reference_video")]
        batch = desk.batch(job, model, *given, *[picture()] * references, seed=-1, duration=10 if references else 0)
        said = desk.problems(batch)
        assert [line.partition(":")[0] for line in said[:-1]] == ["seed"]
        assert f"run would cost CNY {amount}; at most CNY 0.50 may be spent" in said[-1]

    def test_a_limit_counts_the_seconds_of_the_clips(self, desk):
        plan = validate_batch(desk.batch(REFERENCE, "wan2.6-r2v-flash", film(desk.clip()), duration=5))
        cost = video_cost(plan.batch.request, plan.endpoint.region, plan.cost)
        assert limit_problems(cost, {}, limits={"limit_per_run": {"CNY": 2.4}}) == []
        [line] = limit_problems(cost, {}, limits={"limit_per_run": {"CNY": 2.39}})
        assert "run would cost CNY 2.40; at most CNY 2.39 may be spent" in line

    def test_a_limit_cannot_be_kept_for_a_clip_of_unknown_length(self, desk):
        request = desk.batch(EDIT, "wan2.7-videoedit", video_url="https://example.com/a.mp4").request
        cost = video_cost(request, REGIONS["beijing"], None)
        [line] = limit_problems(cost, {}, limits={"limit_per_run": {"CNY": 5.0}})
        assert line.startswith(
            "the price of wan2.7-videoedit at 720P in Beijing with the clip of a URL is unknown, so that limit_per_run "
            "cannot be kept; use video or video_path instead of video_url, or remove limit_per_run ("
        )
