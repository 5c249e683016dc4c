"""An audio file of the graph on its way to the service.

Uploaded as WAV, sent by its URL, rejected where it does not fit.
"""

from __future__ import annotations

import logging
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from media import audio, pitch, read_wav, tone
from wanpack.wan.catalog.models import MODELS

FLASH = {"model": "wan2.6-i2v-flash", "resolution": "720P", "duration": 2}
SILENT_MODELS = [row.id for row in MODELS.values() if row.always_silent]
ALWAYS_LOUD = [row.id for row in MODELS.values() if row.audio_input and not row.audio_switch]
WITH_AUDIO = [row.id for row in MODELS.values() if row.audio_input]


def stored(server, create):
    """The bytes that lie behind the URL of the audio in a create call."""
    return server.state.storage.find(create.body["input"]["audio_url"]).path.read_bytes()


# What is uploaded


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_mono_and_stereo_arrive_as_they_are(live_server, nodes, asked, rate, channels):
    given = audio(*[tone(hertz, rate=rate) for hertz in (440, 880)[:channels]], rate=rate)
    create = asked(live_server, nodes.image_to_video, **FLASH, audio=given)
    samples, found = read_wav(stored(live_server, create))
    assert (found, samples.shape) == (rate, (3 * rate, channels))
    assert np.abs(samples.T / 32768 - given["waveform"][0].numpy()).max() <= 0.51 / 32768


def test_a_studios_rate_arrives_as_48_khz_of_the_same_pitch_and_length(live_server, nodes, asked):
    create = asked(live_server, nodes.image_to_video, **FLASH, audio=audio(tone(1000, rate=96000), rate=96000))
    samples, rate = read_wav(stored(live_server, create))
    assert rate == 48000
    assert len(samples) == pytest.approx(3 * 48000, abs=1)
    assert pitch(samples[:, 0], rate) == pytest.approx(1000, abs=1)


def test_the_speech_in_the_centre_of_5_1_arrives_on_both_sides(live_server, nodes, asked):
    silence = torch.zeros(3 * 48000)
    given = audio(silence, silence, tone(700, rate=48000), silence, silence, silence, rate=48000)
    create = asked(live_server, nodes.image_to_video, **FLASH, audio=given)
    samples, rate = read_wav(stored(live_server, create))
    assert samples.shape == (3 * 48000, 2)
    assert [pitch(side, rate) for side in samples.T] == pytest.approx([700, 700], abs=1)
    assert samples.max() > 3000


def test_an_audio_in_half_precision_arrives(live_server, nodes, asked):
    given = audio()
    given["waveform"] = given["waveform"].half()
    create = asked(live_server, nodes.image_to_video, **FLASH, audio=given)
    samples, _ = read_wav(stored(live_server, create))
    assert np.abs(samples[:, 0] / 32768 - given["waveform"][0, 0].float().numpy()).max() < 0.001


# How it is uploaded


@pytest.mark.parametrize("region", ["beijing", "singapore"])
@pytest.mark.parametrize("model", [name for name in WITH_AUDIO if "singapore" in MODELS[name].offers])
def test_the_storage_is_asked_for_exactly_the_model_that_is_called(serve, nodes, asked, region, model):
    server = serve(region)
    create = asked(server, nodes.image_to_video, **nodes.settings_for(model), audio=audio())
    [policy] = [call for call in server.received if call.on == "policy"]
    assert dict(policy.query) == {"action": "getPolicy", "model": create.body["model"]}
    assert create.body["model"] == MODELS[model].model_id_in(region)


def test_the_create_call_asks_for_uploads_to_be_resolved(live_server, nodes, asked):
    create = asked(live_server, nodes.image_to_video, **FLASH, audio=audio())
    assert create.headers["x-dashscope-ossresourceresolve"] == "enable"
    # The mock server resolved it, and took it for an audio file of that model: the task failed for no other reason than
    # asked.
    [task] = live_server.tasks
    assert (task.inputs.media["driving_audio"], task.notes) == (create.body["input"]["audio_url"], [])


def test_every_upload_has_a_name_of_its_own_that_ends_as_a_audios_does(live_server, nodes, asked):
    addresses = [
        asked(live_server, nodes.image_to_video, **FLASH, audio=audio(), seed=seed).body["input"]["audio_url"]
        for seed in range(3)
    ]
    names = [address.rpartition("/")[2] for address in addresses]
    assert len(set(names)) == 3
    assert all(address.startswith("oss://") and address.endswith(".wav") for address in addresses)
    # Nobody can guess another's file.
    assert all(len(name) >= 32 for name in names)


def test_the_key_does_not_go_to_the_storage(live_server, nodes, asked):
    asked(live_server, nodes.image_to_video, **FLASH, audio=audio())
    [upload] = [call for call in live_server.received if call.on == "upload"]
    assert "authorization" not in upload.headers
    assert live_server.key not in str(upload)


def test_the_same_image_with_another_audio_is_another_request(live_server, nodes, asked):
    for hertz in (440, 550):
        asked(live_server, nodes.image_to_video, **FLASH, audio=audio(tone(hertz)))
    assert len(live_server.tasks) == 2


@pytest.mark.parametrize("address", ["https://example.com/a.mp3", "http://example.com/a.wav"])
def test_an_address_is_sent_as_it_is_and_nothing_is_uploaded(live_server, nodes, asked, address):
    create = asked(live_server, nodes.image_to_video, **FLASH, audio_url=f" {address}\n")
    assert create.body["input"]["audio_url"] == address
    assert "x-dashscope-ossresourceresolve" not in create.headers
    assert [call.on for call in live_server.received if call.on != "query"] == ["create"]


def test_an_address_of_the_storage_is_sent_with_the_wish_to_resolve_it(live_server, nodes, asked):
    # As a script of the user's own may have uploaded it.
    first = asked(live_server, nodes.image_to_video, **FLASH, audio=audio())
    address = first.body["input"]["audio_url"]
    create = asked(live_server, nodes.image_to_video, **FLASH, audio_url=address, seed=1)
    assert create.body["input"]["audio_url"] == address
    assert create.headers["x-dashscope-ossresourceresolve"] == "enable"
    assert live_server.tasks[-1].inputs.media["driving_audio"] == address


# The video that comes of it


@pytest.fixture
def loudness():
    """How loud each half second of a video's audio is, and its length in seconds."""

    def measure(path):
        with av.open(str(path)) as container:
            [stream] = container.streams.audio
            frames = [frame.to_ndarray().reshape(2, -1) for frame in container.decode(stream)]
            rate = stream.rate
        samples = np.concatenate(frames, axis=1)[0]
        halves = [np.abs(samples[start : start + rate // 2]).max() for start in range(0, len(samples), rate // 2)]
        return halves, Fraction(len(samples), rate)

    return measure


def test_a_longer_audio_is_cut_and_that_is_said(live_server, nodes, quick, caplog, loudness):
    with caplog.at_level(logging.WARNING, "dashscope_wan"):
        made = nodes.image_to_video(**FLASH, audio=audio(tone(440, 4.0)))
    warning = "audio: 4.0 s of audio for 2 s of video; the rest of the audio is cut"
    assert made.receipt["warnings"] == [warning]
    assert warning in caplog.messages
    halves, seconds = loudness(made.path)
    assert float(seconds) == pytest.approx(2, abs=0.05)
    assert min(halves[:4]) > 0.4


def test_a_shorter_audio_leaves_the_end_silent_and_that_is_said(live_server, nodes, quick, caplog, loudness):
    with caplog.at_level(logging.WARNING, "dashscope_wan"):
        made = nodes.image_to_video(**{**FLASH, "duration": 4}, audio=audio())
    warning = "audio: 3.0 s of audio for 4 s of video; the end of the video is silent"
    assert made.receipt["warnings"] == [warning]
    assert warning in caplog.messages
    halves, _ = loudness(made.path)
    assert min(halves[:6]) > 0.4
    assert halves[7] < 0.01


def test_an_audio_as_long_as_the_video_needs_no_warning(live_server, nodes, asked, caplog):
    with caplog.at_level(logging.WARNING, "dashscope_wan"):
        asked(live_server, nodes.image_to_video, **{**FLASH, "duration": 3}, audio=audio())
    assert not [message for message in caplog.messages if message.startswith("audio")]


# Where it does not fit


def test_an_audio_and_an_address_cannot_both_be_given(live_server, nodes, refused):
    faults = refused(live_server, nodes.image_to_video, **FLASH, audio=audio(), audio_url="https://a.example/a.mp3")
    assert faults == ["audio: use either audio or audio_url, not both"]


@pytest.mark.parametrize("given", [{"audio": audio()}, {"audio_url": "https://a.example/a.mp3"}])
@pytest.mark.parametrize("model", SILENT_MODELS)
def test_a_silent_model_takes_no_audio_and_names_those_that_do(live_server, nodes, refused, model, given):
    [fault] = refused(live_server, nodes.image_to_video, **nodes.settings_for(model), **given)
    [name] = given
    assert fault.startswith(f"{name}: {model} makes silent videos; remove it, or choose ")
    assert all(other in fault for other in WITH_AUDIO)


@pytest.mark.parametrize(
    ("address", "reported"),
    [
        ("ftp://a.example/a.mp3", "audio_url: must start with http://, https:// or oss://"),
        ("/home/me/a.mp3", "audio_url: must start with http://, https:// or oss://"),
        ("data:audio/mp3;base64,AAAA", "audio_url: must start with http://, https:// or oss://"),
        ("https://", "audio_url: must start with http://, https:// or oss://"),
        ("https://a.example/a.ogg", "audio_url: .ogg is not supported; use .wav or .mp3 of 3 to 30 s"),
        ("https://[a/b.mp3", "audio_url: is not a valid URL"),
    ],
)
def test_an_address_that_the_service_could_not_use_is_reported(live_server, nodes, refused, address, reported):
    assert refused(live_server, nodes.image_to_video, **FLASH, audio_url=address) == [reported]


@pytest.mark.parametrize(("region", "workspace"), [("virginia", ""), ("frankfurt", "llm-abc")])
def test_a_region_without_storage_offers_the_address_instead(serve, nodes, refused, region, workspace):
    server = serve(region)
    connection = nodes.connection(region, workspace_id=workspace)
    [fault] = refused(
        server, nodes.image_to_video, **nodes.settings_for("wan2.6-i2v"), audio=audio(), connection=connection
    )
    assert fault.startswith("audio: ")
    assert "has no temporary storage for uploads; enter the URL of the audio in audio_url instead" in fault


@pytest.mark.parametrize("region", ["virginia", "frankfurt"])
def test_in_a_region_without_storage_an_address_is_sent(serve, nodes, asked, region):
    server = serve(region)
    address = "https://example.com/a.mp3"
    create = asked(
        server,
        nodes.image_to_video,
        **nodes.settings_for("wan2.6-i2v"),
        audio_url=address,
        connection=nodes.connection(region),
    )
    assert create.body["input"]["audio_url"] == address


# The switch


def test_the_switch_is_sent_to_the_model_that_has_it(live_server, nodes, asked):
    create = asked(live_server, nodes.image_to_video, **FLASH, generate_audio=False)
    assert create.body["parameters"]["audio"] is False


@pytest.mark.parametrize("model", SILENT_MODELS)
@pytest.mark.parametrize("on", [True, False])
def test_a_model_that_is_always_silent_does_not_care_for_the_switch(live_server, nodes, asked, model, on):
    create = asked(live_server, nodes.image_to_video, **nodes.settings_for(model), generate_audio=on)
    assert "audio" not in create.body["parameters"]


@pytest.mark.parametrize("model", ALWAYS_LOUD)
def test_a_model_that_cannot_be_silent_says_which_can(serve, nodes, refused, model):
    server = serve(next(iter(MODELS[model].offers)))
    [fault] = refused(server, nodes.image_to_video, **nodes.settings_for(model), generate_audio=False)
    assert fault.startswith(
        f"generate_audio: {model} cannot make silent videos; switch it on, or choose wan2.6-i2v-flash"
    )


def test_a_silent_video_has_no_audio_and_costs_half(live_server, nodes, quick):
    made = nodes.image_to_video(**FLASH, generate_audio=False)
    assert made.receipt["has_audio"] is False
    assert made.receipt["estimated_cost"]["amount"] == pytest.approx(0.15 * 2)
    with av.open(str(made.path)) as container:
        assert not container.streams.audio


@pytest.mark.parametrize("given", [{"audio": audio()}, {"audio_url": "https://a.example/a.mp3"}])
def test_an_audio_for_a_video_that_is_switched_to_silence_is_not_used_and_that_is_said(
    live_server, nodes, asked, caplog, given
):
    with caplog.at_level(logging.WARNING, "dashscope_wan"):
        create = asked(live_server, nodes.image_to_video, **FLASH, **given, generate_audio=False)
    assert create.body["parameters"]["audio"] is False
    assert "audio_url" not in create.body["input"]
    said = [message for message in caplog.messages if message.startswith("audio")]
    assert said == ["audio: generate_audio is off, so the audio is not used and the video is silent"]


# What is no audio


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        (audio(torch.zeros(0)), "audio: the audio is empty; check the node that produced it"),
        (
            {"waveform": torch.zeros(1, 0, 24000), "sample_rate": 8000},
            "audio: the audio is empty; check the node that produced it",
        ),
        (audio(tone(440, 31)), "audio: 31.0 s is too long; DashScope accepts 3 to 30 s"),
        (audio(tone(440, 2.9)), "audio: 2.9 s is too short; DashScope accepts 3 to 30 s"),
        (audio(torch.full((24000,), torch.nan)), "audio: it has samples that are NaN or infinite"),
        (audio(torch.full((24000,), torch.inf)), "audio: it has samples that are NaN or infinite"),
        ({"waveform": torch.zeros(2, 1, 24000), "sample_rate": 8000}, "audio: the batch has 2 audio clips"),
        ({"waveform": torch.zeros(1, 24000), "sample_rate": 8000}, "audio: a waveform has 3 dimensions"),
        ({"waveform": torch.zeros(1, 1, 24000), "sample_rate": 0}, "audio: the sample rate must be a whole number"),
        ("cat.wav", "audio: must be a ComfyUI AUDIO (waveform and sample_rate), not str"),
    ],
)
def test_what_is_no_audio_for_a_video_is_reported_and_nothing_is_sent(live_server, nodes, refused, given, reported):
    [fault] = refused(live_server, nodes.image_to_video, **FLASH, audio=given)
    assert fault.startswith(reported)
