"""Every setting and count of media of the other jobs' models against the documents' rules, written down by hand."""

from __future__ import annotations

import itertools

import pytest
from job_facts import FACTS, FIVE, IDS, PAIRS, REGION_NAMES, REGIONS_OF, SIZED, SIZES, TIERS
from wanpack.wan.api.validation import validate
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.regions import REGIONS

SECONDS = range(-1, 33)
RATIOS = ("adaptive", "21:9", "16:9", "4:3", "1:1", "3:4", "9:16", "4:5", "5:4", "9:21", "2:1")
AUDIO_URL = "https://example.com/rap.mp3"
TEXT, REFERENCE, EDIT, EXTENSION = IDS
WITH_MEDIA = [pair for pair in PAIRS if pair[0] != TEXT]

# How the allowed values of each row are said.
SECONDS_SAID = {
    (TEXT, "wan2.6-t2v-us"): "5 or 10",
    (TEXT, "wan2.5-t2v-preview"): "5 or 10",
    (TEXT, "wan2.2-t2v-plus"): "5",
    (TEXT, "wanx2.1-t2v-turbo"): "5",
    (TEXT, "wanx2.1-t2v-plus"): "5",
    (EDIT, "wan2.7-videoedit"): "0, 2, 3, 4, 5, 6, 7, 8, 9 or 10",
    (EDIT, "happyhorse-1.0-video-edit"): "0",
    (REFERENCE, "wan2.6-r2v"): "2 to 10",
    (REFERENCE, "wan2.6-r2v-flash"): "2 to 10",
}
TIERS_SAID = {TIERS: "480P, 720P or 1080P", ("720P", "1080P"): "720P or 1080P", ("720P",): "720P"} | {
    ("480P", "1080P"): "480P or 1080P",
    ("480P", "720P"): "480P or 720P",
}


def seconds_said(pair):
    family = pair[1].partition("-")[0]
    if pair in SECONDS_SAID:
        return SECONDS_SAID[pair]
    if pair[0] == EDIT:
        return "0, " + ", ".join(map(str, range(2, 30))) + " or 30"
    return {"wan3.0": "2 to 30", "happyhorse": "3 to 15"}.get(family, "2 to 15")


def needed(pair):
    """The fewest media of a row."""
    if pair[0] == TEXT:
        return ()
    least = [f"{kind}#1" for kind, few, _ in FACTS[pair].media if few]
    return tuple(least or ["reference_image#1"])


def plain(pair, **changes):
    """The cheapest request of a row."""
    job, model = pair
    wanted = FACTS[pair]
    asked = {"resolution": wanted.tiers[0], "duration": wanted.seconds[-1], "prompt": "a cat"}
    asked["ratio"] = wanted.ratios[0] if wanted.ratios else "adaptive"
    return VideoRequest(model=model, job=job, **{**asked, **changes})


def faults_of(pair, region="offline", given=None, seconds=None, **changes):
    provided = needed(pair) if given is None else given
    return validate(plain(pair, **changes), region=REGIONS[region], provided=provided, clip_seconds=seconds)


def named(faults):
    return sorted(fault.partition(":")[0] for fault in faults)


def makes(pair, tier, ratio):
    """Whether a row makes videos of that ratio at that tier: 480P of the older models has three."""
    if pair[1] in SIZED and tier in FACTS[pair].tiers:
        return ratio in FIVE[: len(SIZES[tier])]
    return ratio in FACTS[pair].ratios or (not FACTS[pair].ratios and ratio == "adaptive")


@pytest.mark.parametrize("pair", PAIRS, ids=":".join)
def test_exactly_the_shapes_and_lengths_of_the_documents_pass(pair):
    wanted = FACTS[pair]
    for tier, seconds, ratio in itertools.product((*TIERS, "4K"), SECONDS, RATIOS):
        faults = faults_of(pair, resolution=tier, duration=seconds, ratio=ratio)
        wrong = {
            "resolution": tier not in wanted.tiers,
            "duration": seconds not in wanted.seconds,
            "ratio": not makes(pair, tier, ratio),
        }
        # A clip of unknown length may still be too long; the with-clip limit has a test of its own.
        assert named(faults) == sorted(name for name, there in wrong.items() if there), (tier, seconds, ratio)
        if wrong["resolution"]:
            said = TIERS_SAID[wanted.tiers]
            assert f"resolution: {tier} is not supported by {pair[1]}; choose {said}" in faults
        if wrong["duration"]:
            assert f"duration: {seconds} is not supported by {pair[1]}; choose {seconds_said(pair)}" in faults
        if wrong["ratio"] and pair[1] in SIZED and tier in wanted.tiers:
            allowed = {"480P": "16:9, 9:16 or 1:1"}.get(tier, "16:9, 9:16, 1:1, 4:3 or 3:4")
            assert f"ratio: {ratio} is not supported by {pair[1]} at {tier}; choose {allowed}" in faults
        elif wrong["ratio"]:
            [fault] = [one for one in faults if one.startswith("ratio")]
            assert all(one in fault for one in wanted.ratios or ["adaptive"]), fault


SWITCHES = ((True, False), ("", "blur"), ("single", "multi"), (True, False), ("auto", "origin"), ("a cat", " \n"))


@pytest.mark.parametrize("pair", PAIRS, ids=":".join)
def test_exactly_the_switches_of_the_documents_pass(pair):
    wanted = FACTS[pair]
    for loud, negative, shot, extend, setting, prompt in itertools.product(*SWITCHES):
        faults = faults_of(
            pair,
            generate_audio=loud,
            negative_prompt=negative,
            shot_type=shot,
            prompt_extend=extend,
            audio_setting=setting,
            prompt=prompt,
        )
        wrong = {
            "generate_audio": not loud and wanted.audio == "always",
            "negative_prompt": bool(negative) and not wanted.negative,
            "shot_type": shot == "multi" and (not wanted.shots or (wanted.extend and not extend)),
            "audio_setting": setting == "origin" and not wanted.settings,
            "prompt": prompt != "a cat" and wanted.needs_prompt,
        }
        assert named(faults) == sorted(name for name, there in wrong.items() if there), (loud, negative, shot, extend)
        # Each says what is allowed.
        assert not [one for one in faults if one.endswith(("choose ", "only in "))]


@pytest.mark.parametrize("pair", PAIRS, ids=":".join)
@pytest.mark.parametrize("region", [*REGION_NAMES, "offline"])
def test_a_row_is_available_in_its_regions_alone(pair, region):
    faults = faults_of(pair, region)
    if region in (*REGIONS_OF[pair[1]], "offline"):
        assert faults == []
        return
    [fault] = faults
    assert fault.startswith(f"model: {pair[1]} is not available in {REGIONS[region].title}, only in ")
    # What the region has instead is of the same job.
    offered = fault.rpartition(" offers ")[2].split(", ")
    assert offered == [name for name in IDS[pair[0]] if region in REGIONS_OF[name]]


# What the kinds are called in problems.
PLURALS = {
    "first_frame": "a first frame",
    "reference_image": "images",
    "reference_video": "clips",
    "reference_audio": "sounds",
    "video": "clip",
}
NEEDED = {
    "reference_image": "an image",
    "reference_video": "a clip",
    "reference_audio": "a sound",
    "video": "a clip",
}
FIRST_FRAME_MODELS = "wan2.7-r2v-2026-06-12 or wan2.7-r2v"


def input_of(job, kind):
    """What the node of a job calls the input for a kind of reference."""
    if job == REFERENCE or kind == "reference_audio":
        return "references"
    return "image_1" if kind == "reference_image" else "video"


def count_faults(pair, counts):
    """What is said of such counts of media."""
    model, wanted = pair[1], FACTS[pair]
    most_of = {kind: most for kind, _, most in wanted.media}
    accepted = ", ".join(PLURALS[kind] for kind in most_of)
    said = []
    for kind, count in counts.items():
        name = input_of(pair[0], kind)
        if count and kind == "first_frame" and kind not in most_of:
            other = f", or choose {FIRST_FRAME_MODELS}" if pair[0] == REFERENCE else ""
            said.append(f"first_frame: {model} does not accept a first frame; remove it{other}")
        elif count and kind not in most_of:
            said.append(f"{name}: {model} does not accept {PLURALS[kind]}; it accepts {accepted}")
        elif count > most_of.get(kind, 0):
            most = most_of[kind]
            said.append(f"{name}: {count} {PLURALS[kind]} are too many for {model}; use at most {most}")
    for kind, least, _ in wanted.media:
        if counts[kind] < least:
            said.append(f"{input_of(pair[0], kind)}: {model} needs {NEEDED[kind]}")
    # What is too much of its kind is said once.
    together = sum(min(count, most_of.get(kind, 0)) for kind, count in counts.items() if kind != "first_frame")
    if together > wanted.most:
        said.append(f"references: {together} are too many for {model}; use at most {wanted.most} together")
    given = [kind for kind, count in counts.items() if count and kind != "first_frame"]
    if not given and not any(least for _, least, _ in wanted.media):
        *some, last = [NEEDED[kind] for kind in most_of if kind != "first_frame"]
        some = f"{', '.join(some)} or {last}"
        said.append(f"reference_1: {model} needs at least one reference; connect {some}")
    return sorted(said)


def keys_of(counts):
    keys = [f"{kind}#{number + 1}" for kind, count in counts.items() for number in range(count)]
    return ["first_frame" if key == "first_frame#1" else key for key in keys]


@pytest.mark.parametrize("pair", WITH_MEDIA, ids=":".join)
def test_exactly_the_media_of_the_documents_pass(pair):
    most_of = {kind: most for kind, _, most in FACTS[pair].media}
    # One more than the most; of what a row does not take, one.
    ranges = [range(min(most_of.get(kind, 0), 10) + 2) for kind in PLURALS]
    ranges[0] = range(2)
    seen = 0
    for numbers in itertools.product(*ranges):
        counts = dict(zip(PLURALS, numbers, strict=True))
        assert sorted(faults_of(pair, given=keys_of(counts), duration=5 if pair[0] != EDIT else 0)) == count_faults(
            pair, counts
        ), counts
        seen += 1
    assert seen > 60


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair[0] == TEXT], ids=":".join)
@pytest.mark.parametrize("sound", ["", "url", "file", "both"])
def test_a_text_has_a_sound_of_its_own_where_the_documents_say_so(pair, sound):
    model, wanted = pair[1], FACTS[pair]
    given = ["driving_audio"] if sound in ("file", "both") else []
    faults = faults_of(pair, given=given, audio_url=AUDIO_URL if sound in ("url", "both") else "")
    takers = "wan2.7-t2v-2026-06-12, wan2.7-t2v, wan2.7-t2v-2026-04-25, wan2.6-t2v, wan2.6-t2v-us or wan2.5-t2v-preview"
    name = "audio_url" if sound == "url" else "audio"
    does = "makes silent videos" if wanted.audio == "never" else "does not accept an audio file"
    said = []
    if sound == "both":
        said.append("audio: use either audio or audio_url, not both")
    if sound and not wanted.sound:
        said.append(f"{name}: {model} {does}; remove it, or choose {takers}")
    assert faults == said


@pytest.mark.parametrize(
    ("pair", "url", "said"),
    [
        ((TEXT, "wan2.7-t2v"), "https://example.com/a.wav", ""),
        ((TEXT, "wan2.7-t2v"), "oss://a/b.mp3", ""),
        ((TEXT, "wan2.7-t2v"), "https://example.com/a.flac", ".flac is not supported; use .wav or .mp3 of 2 to 30 s"),
        ((TEXT, "wan2.6-t2v"), "https://example.com/a.ogg", ".ogg is not supported; use .wav or .mp3 of 3 to 30 s"),
        ((TEXT, "wan2.5-t2v-preview"), "ftp://example.com/a.mp3", "must start with http://, https:// or oss://"),
        ((TEXT, "wan2.5-t2v-preview"), "a.mp3", "must start with http://, https:// or oss://"),
    ],
)
def test_the_url_of_a_sound_is_checked(pair, url, said):
    assert faults_of(pair, audio_url=url) == ([f"audio_url: {said}"] if said else [])


@pytest.mark.parametrize("pair", WITH_MEDIA, ids=":".join)
def test_a_sound_that_a_video_would_speak_is_no_reference(pair):
    faults = faults_of(pair, audio_url=AUDIO_URL)
    assert faults == [f"audio_url: {pair[1]} does not accept an audio file; remove it"]


def test_a_first_frame_is_no_input_of_a_text():
    """As no text has one, there is no model to choose."""
    faults = faults_of((TEXT, "wan2.7-t2v"), given=["first_frame"])
    assert faults == ["image: wan2.7-t2v does not accept a first frame; remove it"]


VOICE_MODELS = "wan2.7-r2v-2026-06-12 or wan2.7-r2v"


@pytest.mark.parametrize("pair", WITH_MEDIA, ids=":".join)
def test_voices_are_for_the_images_and_clips_of_wan_2_7(pair):
    most_of = {kind: most for kind, _, most in FACTS[pair].media}
    kinds = [kind for kind in most_of if kind != "first_frame"]
    counts = {kind: 2 if most_of[kind] > 1 else 1 for kind in kinds}
    keys = [f"{kind}#{number + 1}" for kind in kinds for number in range(counts[kind])]
    others = f", or choose {VOICE_MODELS}" if pair[0] == REFERENCE else ""
    for voiced in itertools.chain.from_iterable(itertools.combinations(keys, size) for size in range(len(keys) + 1)):
        given = [one for key in keys for one in (key, f"{key}/reference_voice" if key in voiced else "") if one]
        faults = faults_of(pair, given=given, duration=5 if pair[0] != EDIT else 0)
        if FACTS[pair].voice or not voiced:
            assert faults == []
        else:
            assert faults == [f"voices: {pair[1]} takes no voices for its references; remove them{others}"]


@pytest.mark.parametrize("model", ["wan2.7-r2v", "wan2.7-r2v-2026-06-12"])
def test_a_first_frame_has_no_voice(model):
    given = ["first_frame", "first_frame/reference_voice", "reference_image#1"]
    [fault] = faults_of((REFERENCE, model), given=given)
    assert fault.startswith(f"voices: {model} takes no voices")


@pytest.mark.parametrize("pair", WITH_MEDIA, ids=":".join)
@pytest.mark.parametrize("clips", [0, 1, 2])
def test_a_clip_of_wan_2_7_r2v_makes_the_longest_video_shorter(pair, clips):
    wanted = FACTS[pair]
    if clips > {kind: most for kind, _, most in wanted.media}.get("reference_video", 0):
        return
    given = [*needed(pair), *(f"reference_video#{number + 1}" for number in range(clips))]
    for seconds in wanted.seconds:
        faults = faults_of(pair, given=list(dict.fromkeys(given)), duration=seconds)
        if wanted.with_clip and clips and seconds > 10:
            said = f"duration: {seconds} s is not supported by {pair[1]} with a clip; choose 2 to 10"
            assert faults == [said]
        else:
            assert faults == []


TENTHS = (1.0, 1.5, 4.9, 5.0, 5.1, 9.96, 10.0, 10.04, 10.06, 14.0, 15.0)


@pytest.mark.parametrize("pair", WITH_MEDIA, ids=":".join)
@pytest.mark.parametrize("clip", TENTHS)
def test_the_seconds_of_the_video_fit_those_of_the_clips(pair, clip):
    wanted = FACTS[pair]
    given = [*needed(pair), *(["reference_video#1"] if pair[0] == REFERENCE else [])]
    if "reference_video#1" in given and "reference_video" not in [kind for kind, _, _ in wanted.media]:
        return
    for seconds in wanted.seconds:
        if wanted.with_clip and seconds > 10:
            continue
        faults = faults_of(pair, given=list(dict.fromkeys(given)), duration=seconds, seconds=clip)
        said = []
        if pair[1] == "wan2.7-videoedit" and seconds >= clip + 1:
            said.append(
                f"duration: {seconds} s is longer than the clip, which has {clip:.1f} s; choose 0 for all of it"
            )
        if pair[0] == EXTENSION and seconds <= clip:
            said.append(
                f"duration: {seconds} s is the length of the complete video and must exceed the clip's {clip:.1f} s"
            )
        video = seconds or min(clip, 15)
        if wanted.total and clip + video >= 30.05:
            told = f"{video:.1f}".removesuffix(".0")
            said.append(
                f"duration: {told} s of video and {clip:.1f} s of clips are too long for {pair[1]}; use at most 30 s "
                "together"
            )
        assert faults == said


def test_the_longest_extensions_are_those_of_the_documents():
    """30 less twice the clip are the new seconds: 20 of a clip of 5 s, 10 of one of 10 s, none of one of 15 s."""
    longest = {}
    for clip in (5.0, 10.0, 15.0):
        pair = (EXTENSION, "wan3.0-video")
        legal = [one for one in range(2, 31) if not faults_of(pair, duration=one, seconds=clip)]
        longest[clip] = max(legal, default=clip) - clip
    assert longest == {5.0: 20, 10.0: 10, 15.0: 0}


URL = "https://example.com/a.mp4"
NO_CLIP_BY_URL = "leave it empty and connect the clip"


@pytest.mark.parametrize(
    ("pair", "url", "given", "said"),
    [
        ((EDIT, "wan2.7-videoedit"), URL, [], []),
        ((EDIT, "wan2.7-videoedit"), f" {URL} ", [], []),
        ((EDIT, "wan2.7-videoedit"), "https://example.com/clip", [], []),
        ((EDIT, "wan2.7-videoedit"), "oss://a/b.mov", [], []),
        ((EDIT, "happyhorse-1.0-video-edit"), URL, ["reference_image#1"], []),
        (
            *((EDIT, "happyhorse-1.0-video-edit"), "oss://a/b.mp4", []),
            ["video_url: must start with http:// or https://"],
        ),
        (
            *((EDIT, "wan2.7-videoedit"), "https://example.com/a.webm", []),
            ["video_url: .webm is not supported; use .mp4 or .mov of 2 to 10 s"],
        ),
        (
            *((EDIT, "happyhorse-1.0-video-edit"), "https://example.com/a.avi", []),
            ["video_url: .avi is not supported; use .mp4 or .mov of 3 to 60 s"],
        ),
        (
            *((EDIT, "wan2.7-videoedit"), "C:\\a.mp4", []),
            ["video_url: must start with http://, https:// or oss://"],
        ),
        ((EDIT, "wan2.7-videoedit"), URL, ["video#1"], ["video: use either video or video_url, not both"]),
        (
            *((EDIT, "wan3.0-video"), URL, []),
            [
                "video: wan3.0-video needs a clip",
                f"video_url: not supported by wan3.0-video; {NO_CLIP_BY_URL}",
            ],
        ),
        (
            *((EDIT, "wan3.0-video"), URL, ["reference_video#1"]),
            [f"video_url: not supported by wan3.0-video; {NO_CLIP_BY_URL}"],
        ),
        ((TEXT, "wan2.7-t2v"), URL, [], [f"video_url: not supported by wan2.7-t2v; {NO_CLIP_BY_URL}"]),
    ],
)
def test_a_clip_may_be_given_by_its_url_where_the_row_has_one_to_edit(pair, url, given, said):
    assert faults_of(pair, given=given, video_url=url, duration=FACTS[pair].seconds[0]) == said


@pytest.mark.parametrize(
    ("pair", "changes", "said"),
    [
        (
            *((EDIT, "wan3.0-video"), {"audio_setting": "origin"}),
            "audio_setting: origin is not supported by wan3.0-video; choose auto, or the model wan2.7-videoedit or "
            "happyhorse-1.0-video-edit",
        ),
        (
            *((REFERENCE, "wan2.7-r2v"), {"shot_type": "multi"}),
            "shot_type: multi is not supported by wan2.7-r2v; choose single, or the model wan2.6-r2v or "
            "wan2.6-r2v-flash",
        ),
        (
            *((TEXT, "wan2.6-t2v"), {"shot_type": "multi", "prompt_extend": False}),
            "shot_type: multi requires prompt_extend; switch it on, or choose single",
        ),
        (
            *((TEXT, "happyhorse-1.1-t2v"), {"negative_prompt": "blur"}),
            "negative_prompt: not supported by happyhorse-1.1-t2v; leave it empty and describe the content in the "
            "prompt, or choose wan2.7-t2v-2026-06-12, wan2.7-t2v, wan2.7-t2v-2026-04-25, wan2.6-t2v, wan2.6-t2v-us, "
            "wan2.5-t2v-preview, wan2.2-t2v-plus, wanx2.1-t2v-turbo or wanx2.1-t2v-plus",
        ),
        (
            *((REFERENCE, "wan2.7-r2v"), {"generate_audio": False}),
            "generate_audio: wan2.7-r2v cannot make silent videos; switch it on, or choose wan3.0-video, "
            "wan3.0-video-prime or wan2.6-r2v-flash",
        ),
        (
            *((EDIT, "happyhorse-1.0-video-edit"), {"ratio": "16:9"}),
            "ratio: 16:9 is not supported by happyhorse-1.0-video-edit; choose adaptive, or the model "
            "wan2.7-videoedit, wan3.0-video or wan3.0-video-prime",
        ),
        (
            *((EXTENSION, "wan3.0-video"), {"ratio": "16:9"}),
            "ratio: 16:9 is not supported by wan3.0-video; choose adaptive",
        ),
        (
            *((EDIT, "wan3.0-video"), {"prompt": ""}),
            "prompt: wan3.0-video needs a prompt; write what the video shows",
        ),
        (
            *((EDIT, "wan2.7-videoedit"), {"audio_setting": "loud"}),
            "audio_setting: 'loud' is not known; choose auto or origin",
        ),
        (
            *((EXTENSION, "wan3.0-video"), {"negative_prompt": "blur"}),
            "negative_prompt: not supported by wan3.0-video; leave it empty and describe the content in the prompt",
        ),
        (
            *((EXTENSION, "wan3.0-video"), {"shot_type": "multi"}),
            "shot_type: multi is not supported by wan3.0-video; choose single",
        ),
        (
            *((TEXT, "wan2.7-t2v"), {"audio_setting": "origin"}),
            "audio_setting: origin is not supported by wan2.7-t2v; choose auto",
        ),
        (
            *((TEXT, "wan2.7-t2v"), {"template": "flying"}),
            "template: flying is not supported by wan2.7-t2v; choose wanx2.1-i2v-turbo or wanx2.1-i2v-plus",
        ),
    ],
)
def test_other_problems_say_what_is_allowed_in_their_job(pair, changes, said):
    assert faults_of(pair, **changes) == [said]


@pytest.mark.parametrize("job", IDS)
def test_a_model_of_another_job_is_not_known(job):
    other = "wan2.6-i2v" if job == TEXT else "wan2.7-t2v"
    [fault] = validate(VideoRequest(model=other, job=job, prompt="a cat"), region=REGIONS["offline"], provided=())
    assert fault.startswith(f"model: '{other}' is not known; choose {IDS[job][0]}")


def test_all_problems_are_told_at_once():
    faults = faults_of(
        *((REFERENCE, "wan2.7-r2v"), "virginia", [f"reference_image#{n}" for n in range(1, 7)]),
        resolution="480P",
        duration=40,
        ratio="21:9",
        generate_audio=False,
        prompt="",
        seed=-1,
    )
    assert named(faults) == sorted(
        ["seed", "model", "resolution", "duration", "ratio", "prompt", "generate_audio", "references"]
    )
