"""The bodies of the other jobs: the official sample calls, every row's parameters, and media of any number."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from job_facts import FACTS, IDS, PAIRS, SIZED, SIZES
from wanpack.wan.api.request import (
    CreateBody,
    build_body,
    estimate_cost,
    fingerprint,
    subject_fingerprint,
    to_json,
    url_chunks,
    warnings,
)
from wanpack.wan.api.validation import validate
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.regions import REGIONS

BEIJING, SINGAPORE = REGIONS["beijing"], REGIONS["singapore"]
TEXT, REFERENCE, EDIT, EXTENSION = IDS
SAMPLES = {
    path.stem: json.loads(path.read_text("utf-8")) for path in (Path(__file__).parent / "requests_other").iterdir()
}
JOBS = {"t2v": TEXT, "r2v": REFERENCE, "edit": EDIT, "extend": EXTENSION}
RATIO_OF = {size: ratio for tier in SIZES.values() for ratio, size in zip(("16:9", "9:16", "1:1"), tier, strict=False)}

# other-jobs.md 1.1, 1.2, 2.2, 2.3, 3.1, 3.2: what a body of each row has under `parameters`.
PLAIN = {"watermark", "seed"}
SHAPED = {"resolution", "ratio", "duration", *PLAIN}
WAN_3 = {*SHAPED, "audio", "prompt_extend"}
WAN_2_7 = {*SHAPED, "prompt_extend"}
OLD = {"size", "prompt_extend", *PLAIN}
WAN_2_6 = {*OLD, "duration", "shot_type"}
PARAMETERS = {
    **{pair: WAN_3 for pair in PAIRS if pair[1].startswith("wan3.0")},
    **{pair: WAN_2_7 for pair in PAIRS if pair[1].startswith("wan2.7")},
    **{pair: SHAPED for pair in PAIRS if pair[1].startswith("happyhorse")},
    (TEXT, "wan2.6-t2v"): WAN_2_6,
    (TEXT, "wan2.6-t2v-us"): WAN_2_6,
    (TEXT, "wan2.5-t2v-preview"): {*OLD, "duration"},
    (TEXT, "wan2.2-t2v-plus"): OLD,
    (TEXT, "wanx2.1-t2v-turbo"): OLD,
    (TEXT, "wanx2.1-t2v-plus"): OLD,
    (REFERENCE, "wan2.6-r2v"): WAN_2_6 - {"prompt_extend"},
    (REFERENCE, "wan2.6-r2v-flash"): WAN_2_6 - {"prompt_extend"} | {"audio"},
    (EDIT, "wan2.7-videoedit"): {*WAN_2_7, "audio_setting"},
    (EDIT, "happyhorse-1.0-video-edit"): {"resolution", "audio_setting", *PLAIN},
}


def media_of(sample):
    """The media of a sample call by key, in its order."""
    given, keys, found = sample["input"], itertools.count, {}
    numbers = {}
    for url in given.get("reference_urls", ()):
        kind = "reference_video" if url.endswith(".mp4") else "reference_image"
        numbers.setdefault(kind, keys(1))
        found[f"{kind}#{next(numbers[kind])}"] = url
    for item in given.get("media", ()):
        numbers.setdefault(item["type"], keys(1))
        key = f"{item['type']}#{next(numbers[item['type']])}"
        found[key] = item["url"]
        if "reference_voice" in item:
            found[f"{key}/reference_voice"] = item["reference_voice"]
    if "audio_url" in given:
        found["driving_audio"] = given["audio_url"]
    return found


def request_of(name):
    """The settings of a sample call."""
    sample = SAMPLES[name]
    given, wanted = sample["input"], sample["parameters"]
    settings = {key: given[key] for key in ("prompt", "negative_prompt", "audio_url") if key in given}
    same = ("resolution", "ratio", "prompt_extend", "shot_type", "watermark", "audio_setting")
    settings |= {key: wanted[key] for key in same if key in wanted}
    settings |= {"generate_audio": wanted["audio"]} if "audio" in wanted else {}
    # 0 is the clip's length, which wan3.0 calls -1.
    settings["duration"] = max(0, wanted.get("duration", 0))
    if "size" in wanted:
        settings |= {"resolution": "720P", "ratio": RATIO_OF[wanted["size"]]}
    return VideoRequest(model=sample["model"], job=JOBS[name.partition("_")[0]], **settings)


def test_there_are_the_twelve_samples():
    assert set(SAMPLES) == {
        *("t2v_wan30", "t2v_wan27_audio", "t2v_wan26_multi", "t2v_happyhorse11"),
        *("r2v_wan30", "r2v_wan27_voice", "r2v_wan26_flash", "r2v_happyhorse11"),
        *("edit_wan27", "edit_happyhorse10", "edit_wan30", "extend_wan30"),
    }


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_call_is_valid(name):
    media = {key: url for key, url in media_of(SAMPLES[name]).items() if key != "driving_audio"}
    assert validate(request_of(name), region=BEIJING, provided=list(media)) == []


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_call_is_sent_as_it_is_documented(name):
    sample, request = SAMPLES[name], request_of(name)
    body = build_body(request, region=BEIJING, media=media_of(sample))
    assert body["model"] == sample["model"]
    assert body["input"] == sample["input"]
    assert {key: body["parameters"].get(key) for key in sample["parameters"]} == sample["parameters"]
    assert set(body["parameters"]) <= PARAMETERS[request.job, request.model]
    added = {key: value for key, value in body["parameters"].items() if key not in sample["parameters"]}
    defaults = {"seed": 0, "watermark": False, "audio": True, "shot_type": "single", "audio_setting": "auto"}
    defaults |= {"duration": 0, "prompt_extend": True, "ratio": "adaptive"}
    assert added == {key: defaults[key] for key in added}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_bytes_that_are_sent_are_those_of_the_body(name):
    media, request = media_of(SAMPLES[name]), request_of(name)
    body = CreateBody(request, region=BEIJING, kinds=list(media))
    sent = body.encode({key: lambda url=url: url_chunks(url) for key, url in media.items()})
    assert sent == to_json(build_body(request, region=BEIJING, media=media))
    assert json.loads(sent)["input"] == SAMPLES[name]["input"]


def plain(pair, **changes):
    wanted = FACTS[pair]
    ratio = wanted.ratios[-1] if wanted.ratios else "adaptive"
    asked = {"resolution": wanted.tiers[-1], "duration": wanted.seconds[0], "prompt": "a cat", "ratio": ratio}
    if pair[1] in SIZED:
        asked["ratio"] = "1:1"
    return VideoRequest(model=pair[1], job=pair[0], **{**asked, **changes})


@pytest.mark.parametrize("pair", PAIRS, ids=":".join)
def test_a_body_has_the_parameters_that_its_model_has_and_no_others(pair):
    request = plain(pair, negative_prompt="blur" if FACTS[pair].negative else "")
    body = build_body(request, region=REGIONS["virginia" if pair[1].endswith("-us") else "beijing"], media={})
    assert set(body["parameters"]) == PARAMETERS[pair]
    texts = {name for name in body["input"] if name not in ("media", "reference_urls")}
    assert texts == {"prompt"} | ({"negative_prompt"} if FACTS[pair].negative else set())
    assert body["parameters"]["watermark"] is False
    if pair[1] in SIZED:
        assert body["parameters"]["size"] == SIZES[request.resolution][2]


@pytest.mark.parametrize("model", IDS[TEXT])
def test_a_text_is_sent_without_media(model):
    request = plain((TEXT, model))
    body = CreateBody(request, region=REGIONS["offline"], kinds=[])
    assert json.loads(body.encode({}))["input"] == {"prompt": "a cat"}
    assert body.size == len(body.encode({}))


@pytest.mark.parametrize("size", sorted({(tier, place) for tier in SIZES for place in range(len(SIZES[tier]))}))
def test_pixels_are_those_of_tier_and_ratio(size):
    tier, place = size
    ratio = ("16:9", "9:16", "1:1", "4:3", "3:4")[place]
    body = build_body(plain((TEXT, "wan2.5-t2v-preview"), resolution=tier, ratio=ratio), region=BEIJING, media={})
    assert body["parameters"]["size"] == SIZES[tier][place]


@pytest.mark.parametrize(
    ("pair", "changes", "name", "value"),
    [
        ((EDIT, "wan2.7-videoedit"), {"duration": 0}, "duration", 0),
        ((EDIT, "wan2.7-videoedit"), {"duration": 4}, "duration", 4),
        ((EDIT, "wan2.7-videoedit"), {"ratio": "adaptive"}, "ratio", None),
        ((EDIT, "wan2.7-videoedit"), {"ratio": "3:4"}, "ratio", "3:4"),
        ((EDIT, "wan3.0-video"), {"duration": 0}, "duration", -1),
        ((EDIT, "wan3.0-video"), {"duration": 7}, "duration", 7),
        ((EDIT, "wan3.0-video"), {"ratio": "adaptive"}, "ratio", "adaptive"),
        ((EDIT, "happyhorse-1.0-video-edit"), {"duration": 0}, "duration", None),
        ((EXTENSION, "wan3.0-video-prime"), {"duration": 9}, "duration", 9),
        ((TEXT, "wan3.0-video"), {"generate_audio": False}, "audio", False),
        ((REFERENCE, "wan2.6-r2v-flash"), {"generate_audio": False}, "audio", False),
        ((REFERENCE, "wan2.6-r2v"), {}, "audio", None),
        ((TEXT, "wan2.2-t2v-plus"), {}, "duration", None),
    ],
)
def test_what_means_the_clips_own_is_sent_in_the_models_form(pair, changes, name, value):
    body = build_body(plain(pair, **changes), region=BEIJING, media={})
    assert body["parameters"].get(name) == value


def test_singapore_has_its_own_names():
    body = build_body(plain((TEXT, "wanx2.1-t2v-turbo")), region=SINGAPORE, media={})
    assert body["model"] == "wan2.1-t2v-turbo"


# Media in several places


MEDIA = {
    "first_frame": "data:,first",
    "reference_image#1": "data:,a",
    "reference_image#1/reference_voice": "oss://voice-a",
    "reference_video#1": "oss://clip",
    "reference_video#1/reference_voice": "oss://voice-clip",
    "reference_image#2": "data:,b",
}
ITEMS = [
    {"type": "first_frame", "url": "data:,first"},
    {"type": "reference_image", "url": "data:,a", "reference_voice": "oss://voice-a"},
    {"type": "reference_video", "url": "oss://clip", "reference_voice": "oss://voice-clip"},
    {"type": "reference_image", "url": "data:,b"},
]
R2V = plain((REFERENCE, "wan2.7-r2v"))
FLASH = plain((REFERENCE, "wan2.6-r2v-flash"))
PICTURES = {f"reference_image#{n}": f"oss://{n}" for n in range(1, 6)}


def hashed(request, media):
    return CreateBody(request, region=BEIJING, kinds=list(media)).with_hashes(media)


def test_media_and_their_voices_go_into_one_list():
    assert hashed(R2V, MEDIA)["input"]["media"] == ITEMS
    body = CreateBody(R2V, region=BEIJING, kinds=list(MEDIA))
    sent = json.loads(body.encode({key: lambda url=url: url_chunks(url) for key, url in MEDIA.items()}))
    assert sent["input"]["media"] == ITEMS


def test_urls_of_references_are_a_plain_list():
    assert hashed(FLASH, PICTURES)["input"] == {
        "prompt": "a cat",
        "reference_urls": [f"oss://{n}" for n in range(1, 6)],
    }


def test_the_order_of_chunks_given_does_not_matter():
    body = CreateBody(R2V, region=BEIJING, kinds=list(MEDIA))
    backwards = dict(reversed(MEDIA.items()))
    sent = body.encode({key: lambda url=url: [url[:3].encode(), url[3:].encode()] for key, url in backwards.items()})
    assert json.loads(sent)["input"]["media"] == ITEMS


def test_a_url_is_escaped_wherever_it_is():
    url = 'https://example.com/a"\\b声.mp4'
    for request, key in ((R2V, "reference_video#1/reference_voice"), (FLASH, "reference_image#2")):
        media = {**(MEDIA if request is R2V else PICTURES), key: url}
        body = CreateBody(request, region=BEIJING, kinds=list(media))
        sent = json.loads(body.encode({name: lambda one=one: url_chunks(one) for name, one in media.items()}))
        assert sent == build_body(request, region=BEIJING, media=media)
        assert url in json.dumps(sent, ensure_ascii=False).replace('\\"', '"').replace("\\\\", "\\")


@pytest.mark.parametrize(("request_", "media"), [(R2V, MEDIA), (FLASH, PICTURES)])
def test_the_size_of_a_body_is_that_without_media(request_, media):
    body = CreateBody(request_, region=BEIJING, kinds=list(media))
    empty = build_body(request_, region=BEIJING, media={})
    empty["input"]["media" if request_ is R2V else "reference_urls"] = []
    assert body.size == len(to_json(empty))


# Fingerprints


def print_of(request, media):
    return fingerprint(hashed(request, media), region="beijing")


DIFFERENT = {
    "the same": MEDIA,
    "no first frame": {key: url for key, url in MEDIA.items() if key != "first_frame"},
    "no voice": {key: url for key, url in MEDIA.items() if key != "reference_image#1/reference_voice"},
    "another voice": {**MEDIA, "reference_image#1/reference_voice": "oss://voice-b"},
    "the voice is another's": {
        **{key: url for key, url in MEDIA.items() if key != "reference_image#1/reference_voice"},
        "reference_image#2/reference_voice": "oss://voice-a",
    },
    "one fewer": {key: url for key, url in MEDIA.items() if key != "reference_image#2"},
    "one more": {**MEDIA, "reference_image#3": "data:,b"},
    "images exchanged": {**MEDIA, "reference_image#1": "data:,b", "reference_image#2": "data:,a"},
    "another order": dict(sorted(MEDIA.items())),
}


def test_fingerprints_differ_by_order_voice_and_count():
    prints = {name: print_of(R2V, media) for name, media in DIFFERENT.items()}
    assert len(set(prints.values())) == len(prints)
    assert prints["the same"] == print_of(R2V, dict(MEDIA))


def test_fingerprints_of_urls_differ_by_order_and_count():
    backwards = dict(zip(PICTURES, reversed(PICTURES.values()), strict=True))
    prints = {print_of(FLASH, media) for media in (PICTURES, backwards, dict(list(PICTURES.items())[:4]))}
    assert len(prints) == 3


def test_fingerprints_differ_by_job_only_where_the_bodies_do():
    given = {"reference_video#1": "oss://clip"}
    edit, extension = (
        VideoRequest(model="wan3.0-video", job=job, prompt="Edit and extend", resolution="480P", duration=7)
        for job in (EDIT, EXTENSION)
    )
    # The service tells them apart by nothing else, so that they are one request.
    assert print_of(edit, given) == print_of(extension, given)
    assert print_of(edit, given) != print_of(replace(edit, duration=0), given)


def subject(request, media):
    return subject_fingerprint(hashed(request, media), region="beijing")


def test_the_subject_of_a_text_is_what_its_task_reports_of_the_prompt():
    text = plain((TEXT, "wan2.7-t2v"), prompt="A cat, on a mat.")
    same = (
        replace(text, seed=5),
        replace(text, prompt=" a CAT\non a mat"),
        replace(text, negative_prompt="blur", duration=7),
    )
    assert {subject(one, {}) for one in same} == {subject(text, {})}
    assert subject(text, {"driving_audio": "oss://a"}) == subject(text, {})
    others = (replace(text, prompt="A cat on a hat."), replace(text, model="wan2.7-t2v-2026-06-12"))
    assert subject(text, {}) not in {subject(one, {}) for one in others}


def test_long_prompts_that_may_be_cut_to_the_same_are_one_subject():
    text = plain((TEXT, "wan2.7-t2v"), prompt="a cat " * 200)
    assert subject(replace(text, prompt=text.prompt + "and a dog"), {}) == subject(text, {})


def test_the_subject_of_references_is_the_prompt_and_with_a_first_frame_the_frame():
    given = {key: url for key, url in MEDIA.items() if key != "first_frame"}
    assert subject(R2V, given) == subject(R2V, {**given, "reference_image#1": "data:,other"})
    assert subject(R2V, MEDIA) != subject(R2V, given)
    assert subject(R2V, MEDIA) == subject(replace(R2V, prompt="a dog"), {**given, "first_frame": "data:,first"})
    assert subject(R2V, MEDIA) != subject(R2V, {**MEDIA, "first_frame": "data:,second"})


# What it costs


@pytest.mark.parametrize(
    ("pair", "region", "changes", "clips", "references", "amount"),
    [
        ((TEXT, "wan2.5-t2v-preview"), "beijing", {"resolution": "480P", "duration": 5}, (), 0, 1.5),
        ((TEXT, "wan2.2-t2v-plus"), "singapore", {"resolution": "480P"}, (), 0, 0.1),
        ((TEXT, "wan2.6-t2v-us"), "virginia", {"resolution": "720P", "duration": 10}, (), 0, 7.3392),
        ((TEXT, "wan3.0-video"), "tokyo", {"resolution": "1080P", "duration": 30}, (), 0, 36.0),
        ((TEXT, "happyhorse-1.1-t2v"), "tokyo", {}, (), 0, None),
        # other-jobs.md 5: one clip of 10 s for a video of 5 s at 720P.
        ((REFERENCE, "wan2.7-r2v"), "beijing", {"resolution": "720P", "duration": 5}, (10.0,), 1, 6.0),
        ((REFERENCE, "wan3.0-video"), "beijing", {"resolution": "720P", "duration": 5}, (10.0,), 1, 9.0),
        ((REFERENCE, "wan2.6-r2v-flash"), "beijing", {"resolution": "720P", "duration": 5}, (10.0,), 1, 3.0),
        (
            *((REFERENCE, "wan2.6-r2v-flash"), "beijing"),
            *({"resolution": "720P", "duration": 5, "generate_audio": False}, (10.0,), 1, 1.5),
        ),
        (
            *((REFERENCE, "wan2.6-r2v-flash"), "singapore"),
            *({"resolution": "1080P", "duration": 5, "generate_audio": False}, (10.0, 10.0), 5, 0.2625),
        ),
        ((REFERENCE, "wan2.7-r2v"), "beijing", {"resolution": "1080P", "duration": 5}, (10.0,) * 3, 3, 9.95),
        ((REFERENCE, "happyhorse-1.1-r2v"), "beijing", {"resolution": "480P", "duration": 5}, (), 9, 2.25),
        ((EDIT, "wan2.7-videoedit"), "beijing", {"resolution": "720P", "duration": 0}, (5.02,), 1, 6.024),
        ((EDIT, "wan3.0-video-prime"), "singapore", {"resolution": "480P", "duration": 5}, (15.0,), 1, 1.36),
        ((EDIT, "happyhorse-1.0-video-edit"), "beijing", {"resolution": "720P"}, (30.0,), 2, 40.5),
        ((EXTENSION, "wan3.0-video"), "beijing", {"resolution": "720P", "duration": 10}, (5.0,), 1, 9.0),
        ((EXTENSION, "wan3.0-video"), "beijing", {"resolution": "480P", "duration": 10}, (5.0,), 1, 4.5),
        # The length of a clip at a URL is unknown.
        ((EDIT, "wan2.7-videoedit"), "beijing", {"resolution": "720P"}, None, 1, None),
    ],
)
def test_the_cost_counts_the_seconds_that_are_billed(pair, region, changes, clips, references, amount):
    found = estimate_cost(plain(pair, **changes), region=REGIONS[region], clips=clips, references=references)
    if amount is None:
        assert found is None
    else:
        assert found["amount"] == pytest.approx(amount, abs=1e-4)
        assert found["currency"] == ("USD" if region == "singapore" else "CNY")


def test_a_clip_of_unknown_length_is_told_and_not_that_the_list_lacks_it():
    request = plain((EDIT, "wan2.7-videoedit"), video_url="https://example.com/a.mp4")
    told = "video_url: the seconds of this clip are billed too, and their number is unknown before the run"
    assert warnings(request, region=BEIJING, is_priced=False) == [told]
    assert estimate_cost(request, region=BEIJING) is None
    assert estimate_cost(request, region=REGIONS["offline"])["amount"] == 0
    tokyo = plain((TEXT, "happyhorse-1.1-t2v"))
    [told] = warnings(tokyo, region=REGIONS["tokyo"], is_priced=False)
    assert told == "happyhorse-1.1-t2v at 1080P is not in the price list of Tokyo"


@pytest.mark.parametrize("pair", PAIRS, ids=":".join)
def test_a_prompt_that_the_service_would_cut_is_reported(pair):
    limit, region = FACTS[pair].prompt, REGIONS["offline"]
    assert warnings(plain(pair, prompt="a" * limit), region=region) == []
    [told] = warnings(plain(pair, prompt="a" * (limit + 1)), region=region)
    assert told.startswith(f"prompt: DashScope truncates it to {limit} characters; this one has {limit + 1}")
    chinese = limit // FACTS[pair].chinese
    assert warnings(plain(pair, prompt="猫" * chinese), region=region) == []
    assert len(warnings(plain(pair, prompt="猫" * (chinese + 1)), region=region)) == 1
    if FACTS[pair].negative:
        [told] = warnings(plain(pair, negative_prompt="a" * 501), region=region)
        assert told.startswith("negative_prompt: DashScope truncates it to 500 characters")
