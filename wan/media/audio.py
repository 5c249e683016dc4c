"""Encoding of a ComfyUI AUDIO as a WAV file for the service."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..messages import Message
from ..values import whole
from .image import as_array, extremes, is_float_tensor, number_type

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_RATE = 48_000
MAX_CHANNELS = 2
# Beyond these, audio is implausible and slow to process.
MAX_SAMPLE_RATE = 768_000
MAX_INPUT_CHANNELS = 64
HEADER_BYTES = 44
SAMPLE_BYTES = 2
FULL_SCALE = 32_768

# The maximum level of a loud mix, which is clipped. Higher samples have another scale.
MAX_LEVEL = 16.0
# The maximum sample and the divisor of other scales.
SCALES = ((128, 128), (32_768, 32_768), (2**31, 2**31))

# FFmpeg's layouts by number of channels. More than eight channels are mixed equally.
LAYOUTS = {3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


def validate_audio(audio: Any, *, seconds: tuple[float, float], max_bytes: int, name: str = "audio") -> list[str]:
    """Return the problems of an audio input.

    Args:
        audio: a ComfyUI AUDIO, {"waveform": float [1,C,T], "sample_rate": int or a whole number of any type}.
        seconds: minimum and maximum length.
        max_bytes: maximum size of the WAV file from `encode_wav`.
        name: the input's name in the problems.

    Returns:
        One sentence per problem, empty when there is none.
    """
    problems = _form_problems(audio) or _content_problems(audio, seconds=seconds, max_bytes=max_bytes)
    return [Message("{input}: {problem}", input=name, problem=problem) for problem in problems]


def _content_problems(audio: Mapping[str, Any], *, seconds: tuple[float, float], max_bytes: int) -> list[str]:
    """Return the problems of the length, the size and the samples."""
    problems = _length_problems(audio_seconds(audio), seconds=seconds)
    size = _wav_bytes(audio)
    if size > max_bytes:
        problems.append(
            Message(
                "the WAV file would have {size:.1f} MB; at most {most:g} MB can be sent",
                size=size / 2**20,
                most=max_bytes / 2**20,
            )
        )
    # Audio that is too long is not read.
    return problems or _sample_problems(as_array(audio["waveform"]))


def audio_seconds(audio: Mapping[str, Any]) -> float:
    """Return the length in seconds of a ComfyUI AUDIO."""
    return float(audio["waveform"].shape[-1] / _rate(audio))


def encode_wav(audio: Mapping[str, Any]) -> bytes:
    """Encode valid audio as a WAV file of 16-bit PCM.

    Mono and stereo up to 48 kHz are only clipped to -1..1 and rounded. More channels are mixed down to stereo by their
    usual layout (the centre of 5.1 goes to both sides), and higher rates are resampled to 48 kHz.

    Args:
        audio: a ComfyUI AUDIO, {"waveform": float [1,C,T], "sample_rate": int}.
    """
    samples = as_array(audio["waveform"][0])
    rate = _rate(audio)
    if len(samples) > max(LAYOUTS):
        samples = samples.mean(axis=0, keepdims=True)
    if len(samples) > MAX_CHANNELS or rate > MAX_RATE:
        pcm, channels = _converted(samples, rate), min(len(samples), MAX_CHANNELS)
    else:
        pcm, channels = _to_pcm(samples), len(samples)
    import wave

    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(SAMPLE_BYTES)
        wav.setframerate(min(rate, MAX_RATE))
        wav.writeframes(pcm)
    return file.getvalue()


def _form_problems(audio: Any) -> list[str]:
    """Return the problems of the value's type and shape."""
    if not isinstance(audio, Mapping) or "waveform" not in audio or "sample_rate" not in audio:
        return [Message("must be a ComfyUI AUDIO (waveform and sample_rate), not {type}", type=type(audio).__name__)]
    waveform, rate = audio["waveform"], _rate(audio)
    problems: list[str] = []
    if type(rate) is not int or rate <= 0:
        problems.append(Message("the sample rate must be a whole number above 0, not {rate}", rate=_format_rate(rate)))
    elif rate > MAX_SAMPLE_RATE:
        problems.append(Message("the sample rate exceeds the maximum of {most}", most=MAX_SAMPLE_RATE))
    if not is_float_tensor(waveform):
        problems.append(
            Message("the waveform must be a tensor of floats from -1 to 1, not {type}", type=number_type(waveform))
        )
        return problems
    shape = tuple(waveform.shape)
    if len(shape) != 3:
        problems.append(
            Message("a waveform has 3 dimensions (batch, channels, samples), not {count}", count=len(shape))
        )
    elif shape[0] > 1:
        problems.append(Message("the batch has {count} audio clips; only one can be used", count=shape[0]))
    elif shape[1] > MAX_INPUT_CHANNELS:
        problems.append(
            Message("{count} channels; at most {most} can be mixed", count=shape[1], most=MAX_INPUT_CHANNELS)
        )
    elif 0 in shape:
        problems.append(Message("the audio is empty; check the node that produced it"))
    return problems


def _rate(audio: Mapping[str, Any]) -> Any:
    """Return the sample rate, a whole number of any type, as an int; any other value unchanged."""
    return whole(audio["sample_rate"])


def _sample_problems(samples: NDArray[Any]) -> list[str]:
    low, high = extremes(samples)
    if not (math.isfinite(low) and math.isfinite(high)):
        return [Message("it has samples that are NaN or infinite; check the node that produced it")]
    peak = max(-low, high)
    if peak <= MAX_LEVEL:
        return []
    scale = next((scale for most, scale in SCALES if peak <= most), None)
    hint = Message("Divide them by {scale}", scale=scale) if scale else Message("Scale them")
    return [
        Message(
            "it has samples from {low:g} to {high:g}, but an AUDIO has -1 to 1. {advice} before this node",
            low=low,
            high=high,
            advice=hint,
        )
    ]


def _format_rate(rate: object) -> str:
    small = isinstance(rate, (bool, float, str)) or (isinstance(rate, int) and abs(rate) < MAX_SAMPLE_RATE)
    return repr(rate)[:60] if small else Message("this {type}", type=type(rate).__name__)


def _length_problems(length: float, *, seconds: tuple[float, float]) -> list[str]:
    least, most = seconds
    if least <= length <= most:
        return []
    length_text = f"{length:.1f}" if not least <= round(length, 1) <= most else f"{length:.6g}"
    is_out_of_range = Message("short") if length < least else Message("long")
    return [
        Message(
            "{length} s is too {problem}; DashScope accepts {least:g} to {most:g} s",
            length=length_text,
            problem=is_out_of_range,
            least=least,
            most=most,
        )
    ]


def _wav_bytes(audio: Mapping[str, Any]) -> int:
    """Return the size of the file from `encode_wav`."""
    channels = min(int(audio["waveform"].shape[1]), MAX_CHANNELS)
    frames = audio_seconds(audio) * min(int(_rate(audio)), MAX_RATE)
    return HEADER_BYTES + round(frames) * channels * SAMPLE_BYTES


def _to_pcm(samples: NDArray[Any]) -> bytes:
    """Round samples [C,T] to interleaved 16-bit numbers."""
    with np.errstate(over="ignore"):  # Clipped below.
        scaled = np.multiply(samples.T, FULL_SCALE, dtype=np.float32, order="C")
    np.rint(scaled, out=scaled)
    np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1, out=scaled)
    pcm: NDArray[np.int16] = scaled.astype("<i2")
    return pcm.tobytes()


def _converted(samples: NDArray[Any], rate: int) -> bytes:
    """Mix samples [C,T] down to stereo and resample them to 48 kHz at most, as interleaved 16-bit numbers."""
    import av

    count = len(samples)
    # Interleaved, as from_ndarray miscounts the planes of eight channels.
    packed = np.ascontiguousarray(samples.T, dtype=np.float32).reshape(1, -1)
    layout = LAYOUTS.get(count, "mono" if count == 1 else "stereo")
    frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
    frame.sample_rate = rate
    converter = av.AudioResampler(format="s16", layout="mono" if count == 1 else "stereo", rate=min(rate, MAX_RATE))
    parts = [*converter.resample(frame), *converter.resample(None)]
    return b"".join(part.to_ndarray().astype("<i2", copy=False).tobytes() for part in parts)
