from functools import partial

import media
import numpy as np
import pytest
import torch
from media import pitch, read_wav
from wanpack.wan.media.audio import audio_seconds, encode_wav, validate_audio

SECONDS = (3, 30)
MAX_BYTES = 15 << 20


audio, tone = partial(media.audio, rate=44100), partial(media.tone, seconds=1.0, rate=44100)


def silence(seconds, *, channels=2, rate=44100):
    return audio(*np.zeros((channels, round(seconds * rate)), np.float32), rate=rate)


def faults(audio, *, seconds=SECONDS, max_bytes=MAX_BYTES):
    return validate_audio(audio, seconds=seconds, max_bytes=max_bytes)


def test_samples_are_rounded_to_16_bits():
    samples, _ = read_wav(encode_wav(audio([0.5, -0.5, 0.6 / 32768, 0.4 / 32768, -0.6 / 32768])))
    assert samples[:, 0].tolist() == [16384, -16384, 1, 0, -1]


def test_samples_beyond_full_scale_are_clipped():
    samples, _ = read_wav(encode_wav(audio([1.0, 7.0, -1.0, -7.0])))
    assert samples[:, 0].tolist() == [32767, 32767, -32768, -32768]


def test_16_bit_audio_comes_back_exactly():
    levels = np.arange(-32768, 32768)
    samples, _ = read_wav(encode_wav(audio(levels / 32768)))
    assert np.array_equal(samples[:, 0], levels)


@pytest.mark.parametrize("channels", [1, 2])
def test_mono_and_stereo_stay_as_they_are(channels):
    given = np.stack([tone(440, seconds=0.1), tone(880, seconds=0.1)])[:channels]
    samples, _ = read_wav(encode_wav(audio(*given)))
    assert samples.shape[1] == channels
    assert np.abs(samples.T / 32768 - given).max() <= 0.51 / 32768


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_the_sample_rate_is_kept_up_to_48_khz(rate):
    samples, found = read_wav(encode_wav(silence(0.5, rate=rate)))
    assert (found, len(samples)) == (rate, rate // 2)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_higher_rate_is_resampled_to_48_khz(channels):
    samples, rate = read_wav(encode_wav(audio(*[tone(1000, rate=96000)] * channels, rate=96000)))
    assert (samples.shape[1], rate) == (channels, 48000)
    assert len(samples) == pytest.approx(48000, abs=1)
    assert pitch(samples[:, 0], rate=48000) == pytest.approx(1000, abs=2)


def test_resampling_lets_no_ultrasound_fold_back():
    samples, _ = read_wav(encode_wav(audio(tone(40_000, rate=96000), rate=96000)))
    assert np.abs(samples[500:-500]).max() < 50


def test_the_centre_of_5_1_is_heard_on_both_sides():
    channels = np.zeros((6, 4410))
    channels[2] = tone(440, seconds=0.1)
    samples, _ = read_wav(encode_wav(audio(*channels)))
    assert samples.shape[1] == 2
    assert samples[:, 0].max() > 3000
    assert np.array_equal(samples[:, 0], samples[:, 1])


@pytest.mark.parametrize("channels", range(3, 9))
def test_many_channels_become_stereo(channels):
    samples, _ = read_wav(encode_wav(audio(*[tone(440, seconds=0.1)] * channels)))
    assert samples.shape == (4410, 2)
    assert samples.max() > 3000


def test_more_channels_than_have_places_become_one():
    samples, _ = read_wav(encode_wav(audio(*[tone(440, seconds=0.1)] * 12)))
    assert samples.shape[1] == 1
    assert samples.max() == pytest.approx(16384, abs=50)


def test_a_torch_tensor_is_read_like_an_array():
    given = audio(tone(440))
    waveform = given["waveform"].requires_grad_()
    array = {"waveform": waveform.detach().numpy(), "sample_rate": 44100}
    assert encode_wav({"waveform": waveform, "sample_rate": 44100}) == encode_wav(array)


def test_seconds_are_samples_over_rate():
    assert audio_seconds(silence(2.5, rate=8000)) == 2.5


@pytest.mark.parametrize("seconds", [3, 30])
def test_an_audio_within_the_limits_has_no_faults(seconds):
    assert faults(silence(seconds)) == []


def test_a_long_audio_is_reported_with_the_limits():
    assert faults(silence(31)) == ["audio: 31.0 s is too long; DashScope accepts 3 to 30 s"]


def test_a_short_audio_is_reported_with_the_limits():
    assert faults(silence(1.25, rate=8000)) == ["audio: 1.2 s is too short; DashScope accepts 3 to 30 s"]


def test_an_audio_that_is_a_moment_too_long_is_not_called_30_0():
    assert faults(silence(30.01)) == ["audio: 30.01 s is too long; DashScope accepts 3 to 30 s"]


def test_a_large_audio_is_reported_with_its_size():
    assert faults(silence(10), max_bytes=1 << 20) == ["audio: the WAV file would have 1.7 MB; at most 1 MB can be sent"]


@pytest.mark.parametrize("given", [silence(3.3), silence(3.3, channels=6, rate=96000), silence(3.3, channels=1)])
def test_the_size_that_is_checked_is_the_size_that_is_made(given):
    size = len(encode_wav(given))
    assert faults(given, max_bytes=size + 300) == []
    assert faults(given, max_bytes=size - 300) != []


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_reported(bad):
    given = silence(4)
    given["waveform"][0, 1, 77] = bad
    assert "NaN or infinite" in faults(given)[0]


@pytest.mark.parametrize("rate", [8000.0, np.int64(8000), np.float32(8000), torch.tensor(8000), torch.tensor([8000.0])])
def test_a_sample_rate_of_another_type_is_taken(rate):
    given = silence(4, rate=8000)
    other = {**given, "sample_rate": rate}
    assert faults(other) == []
    assert (audio_seconds(other), encode_wav(other)) == (4.0, encode_wav(given))


@pytest.mark.parametrize(
    ("peak", "reported"),
    [
        (32767.0, "Divide them by 32768 before this node"),
        (127.0, "Divide them by 128 before this node"),
        (2.0**31 - 1, "Divide them by 2147483648 before this node"),
        (1e20, "Scale them before this node"),
    ],
)
def test_samples_that_are_counted_in_another_way_are_reported(peak, reported):
    [fault] = faults(audio(peak * tone(440, seconds=4) * 2))
    assert fault.startswith("audio: it has samples from -")
    assert fault.endswith(f", but an AUDIO has -1 to 1. {reported}")


def test_a_mix_that_is_too_loud_is_clipped():
    assert faults(audio(8 * tone(440, seconds=4))) == []


def test_samples_of_a_whole_type_are_reported_with_it():
    given = {"waveform": torch.zeros((1, 2, 9), dtype=torch.int16), "sample_rate": 44100}
    assert faults(given) == [
        "audio: the waveform must be a tensor of floats from -1 to 1, not numbers of type torch.int16"
    ]


@pytest.mark.parametrize(
    ("audio", "reported"),
    [
        (None, "NoneType"),
        ({"waveform": np.zeros((1, 2, 9), np.float32)}, "dict"),
        ({"waveform": [0.0], "sample_rate": 44100}, "list"),
        ({"waveform": np.zeros((1, 2, 9), np.int16), "sample_rate": 44100}, "floats"),
        ({"waveform": np.zeros((2, 9), np.float32), "sample_rate": 44100}, "samples), not 2"),
        ({"waveform": np.zeros((3, 2, 9), np.float32), "sample_rate": 44100}, "has 3 audio clips; only one"),
        ({"waveform": np.zeros((1, 2, 0), np.float32), "sample_rate": 44100}, "empty"),
        ({"waveform": np.zeros((1, 0, 9), np.float32), "sample_rate": 44100}, "empty"),
        ({"waveform": np.zeros((0, 2, 9), np.float32), "sample_rate": 44100}, "empty"),
        (audio([0.0], rate=0), "above 0, not 0"),
        (audio([0.0], rate=44100.5), "44100.5"),
        (audio([0.0], rate=True), "True"),
    ],
)
def test_what_is_no_audio_is_reported(audio, reported):
    (fault,) = faults(audio)
    assert fault.startswith("audio: ")
    assert reported in fault
