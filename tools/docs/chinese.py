"""The nodes in Chinese. Words in braces are filled from the tables: see `facts.py`."""

from __future__ import annotations

from dataclasses import dataclass

CATEGORIES = {"DashScope Wan": "百炼 万相"}


@dataclass(frozen=True)
class Words:
    """A node in Chinese: its name, its description, (name, tooltip) of each input, tooltips of the outputs in order."""

    name: str
    description: str
    inputs: dict[str, tuple[str, str]]
    outputs: tuple[tuple[str, str], ...]


_IMAGE = ("图像", "视频的首帧。批次中的每张图像各生成一个视频，各自计费。")
_SEED = (
    "随机数种子",
    "批次中第 i 张图像使用 seed + i。相同的请求和相同的种子会返回已保存的视频，不再付费；"
    "换一个种子就是新的视频、新的费用。",
)
_WATERMARK = ("水印", "在右下角加上服务的标识，例如“AI生成”。")
_PREFIX = (
    "文件名前缀",
    "MP4 在 ComfyUI 输出文件夹中的位置；%year%、%month%、%day%、%hour%、%minute%、%second% 代表时间。",
)
_CONNECTION = ("连接", "来自“百炼 连接”节点的地域、业务空间和等待时限；不连接则使用本机的默认设置。")
_MODEL = ("模型", "{summaries}")
_RESOLUTION = ("分辨率", "清晰度档位；画面比例与输入的画面相同。价格与档位有关。\n{resolutions}")
_DURATION = ("时长", "视频的秒数，按秒计费。\n{durations}")
_PROMPT_EXTEND = ("提示词智能改写", "由服务改写提示词：短提示词效果更好，但更慢。{no_extend}")
_NEGATIVE_PROMPT = ("反向提示词", "不希望出现的内容；最多 {negative_limit} 个字符。{no_negative}")
_LAST_FRAME = ("尾帧", "视频结束时的画面；批次可以共用一张，也可以每张图像各用一张。{last_frame_rule}")
_VIDEO_OUTPUTS = (
    ("视频路径", "保存的 MP4 的绝对路径；批次中每张图像一个。"),
    ("视频", "保存的视频，可接保存视频、获取视频组件等 VIDEO 节点。"),
    ("任务 ID", "服务端的任务 ID，24 小时内可用“万相 取回任务”取回。"),
    ("回执", "JSON：请求了什么、生成了什么、费用估算。"),
)

NODES = {
    "DashScopeWanImageToVideo": Words(
        "万相 图生视频（首帧）",
        "用阿里云百炼的万相模型生成以该图像开头的视频并保存。按视频秒数计费；提交之前会检查所有设置。"
        "再次运行同一个工作流会继续原来的任务，或直接返回已保存的视频，不会重复付费。",
        {
            "image": _IMAGE,
            "prompt": (
                "提示词",
                "写什么在动、镜头怎么动；图像已经给出了场景。有声模型还可以描述声音。"
                "超出字符上限的部分会被服务截断。\n{prompt_limits}",
            ),
            "model": _MODEL,
            "resolution": _RESOLUTION,
            "duration": _DURATION,
            "shot_type": ("镜头类型", "multi 会在多个镜头之间切换，需要打开提示词智能改写。仅限 {shot_models}。"),
            "prompt_extend": _PROMPT_EXTEND,
            "negative_prompt": _NEGATIVE_PROMPT,
            "seed": _SEED,
            "generate_audio": (
                "生成声音",
                "关闭则生成无声视频：{switch_models}。始终无声：{silent_models}。其余模型始终有声。",
            ),
            "watermark": _WATERMARK,
            "audio_url": ("音频地址", "声音的地址（http、https 或 oss）：{sound_rule}"),
            "filename_prefix": _PREFIX,
            "audio": ("音频", "视频的声音（万相 2.7 的驱动音频），会上传到服务的临时存储：{sound_rule}"),
            "connection": _CONNECTION,
            "last_frame": _LAST_FRAME,
            "ratio": ("画面比例", "视频的宽高比；adaptive 与图像相同。其他比例仅限 {ratio_models}。"),
        },
        _VIDEO_OUTPUTS,
    ),
    "DashScopeWanVideoEffect": Words(
        "万相 视频特效",
        "用特效模板让一张图像动起来并保存视频，不需要提示词。按视频秒数计费。仅限北京地域。",
        {
            "image": _IMAGE,
            "template": ("特效模板", "会发生什么，以及图像应该是什么。\n{effects}"),
            "model": _MODEL,
            "resolution": _RESOLUTION,
            "duration": _DURATION,
            "seed": _SEED,
            "watermark": _WATERMARK,
            "filename_prefix": _PREFIX,
            "connection": _CONNECTION,
        },
        _VIDEO_OUTPUTS,
    ),
    "DashScopeWanFetchTask": Words(
        "万相 取回任务",
        "按任务 ID 取回视频；任务还在运行时会等待。错误信息、状态文字和回执里都有任务 ID；"
        "服务保留任务和视频 24 小时。不收费。",
        {
            "task_id": ("任务 ID", "错误信息、状态文字或回执中显示的任务 ID。"),
            "filename_prefix": _PREFIX,
            "connection": _CONNECTION,
        },
        _VIDEO_OUTPUTS,
    ),
    "DashScopeWanLastFrame": Words(
        "视频尾帧",
        "取出视频的最后一帧作为 IMAGE：接到下一个万相节点的图像输入，从片段结束处继续。只解码影片的结尾。",
        {
            "video": ("视频", "一个视频；与视频路径二选一。"),
            "video_path": (
                "视频路径",
                "ComfyUI 的 input、output 或 temp 文件夹中的视频文件，例如万相节点输出的视频路径；与视频二选一。",
            ),
        },
        (("图像", "最后一帧，一张图像。"),),
    ),
    "DashScopeWanConnection": Words(
        "百炼 连接",
        "选择百炼的地域、业务空间和等待时限。API Key 不会出现在工作流里：它来自环境变量 DASHSCOPE_API_KEY 或 "
        "credentials.toml。选择 offline 可以不花钱、不用 Key 生成测试视频。",
        {
            "region": (
                "地域",
                "default：本机的 DASHSCOPE_REGION，未设置时为 beijing。一个 Key 只属于一个地域。"
                "offline：在本机运行的模拟服务，不花钱、不用 Key 生成测试视频。",
            ),
            "workspace_id": (
                "业务空间 ID",
                "百炼业务空间的 ID，例如 llm-abc123；留空则使用地域的公共地址。"
                "{workspace_regions} 必须填写；服务的文档只为 {workspace_models} 给出业务空间自己的地址。",
            ),
            "max_wait_minutes": (
                "最长等待（分钟）",
                "视频渲染超过这么多分钟后节点不再等待；排队时间不计。任务会继续，再次运行即可接着等。",
            ),
        },
        (("连接", "接到万相节点的连接输入。"),),
    ),
    "DashScopeWanContinueVideo": Words(
        "万相 视频续写",
        "从一个片段继续：生成以该片段开头的视频，并保存整个视频。时长包含片段的秒数，整个时长都计费。",
        {
            "prompt": (
                "提示词",
                "写接下来发生什么、镜头怎么动；片段已经给出了场景。还可以描述声音。"
                "超出字符上限的部分会被服务截断。\n{prompt_limits}",
            ),
            "model": _MODEL,
            "resolution": _RESOLUTION,
            "duration": ("时长", "整个视频的秒数，包含片段，必须比片段长；按秒计费。\n{durations}"),
            "prompt_extend": _PROMPT_EXTEND,
            "video": ("视频", "要续写的片段，视频以它开头；与视频路径二选一。{clip_rule}"),
            "video_path": (
                "视频路径",
                "片段在 ComfyUI 的 input、output 或 temp 文件夹中的路径，例如万相节点输出的视频路径；与视频二选一。"
                "{clip_rule}",
            ),
            "last_frame": ("尾帧", "视频结束时的画面。"),
            "negative_prompt": _NEGATIVE_PROMPT,
            "seed": _SEED,
            "watermark": _WATERMARK,
            "filename_prefix": _PREFIX,
            "connection": _CONNECTION,
        },
        _VIDEO_OUTPUTS,
    ),
}

REGIONS = {
    "beijing": "北京",
    "singapore": "新加坡",
    "virginia": "弗吉尼亚",
    "frankfurt": "法兰克福",
    "tokyo": "东京",
    "hongkong": "中国香港",
}

IMAGES = {
    "any subject": "任意主体",
    "any subject that stands out from the background": "任意主体，与背景分明",
    "one person, half to full body, facing the camera": "单人，半身至全身，正面",
    "one person, half body, facing the camera": "单人，半身，正面",
    "one person, full body, facing the camera": "单人，全身，正面",
    "one person or animal, full body, facing the camera": "单人或单只动物，全身，正面",
    "one person or animal, half to full body, facing the camera, hands not visible": (
        "单人或单只动物，半身至全身，正面，不露手"
    ),
    "two people, half or full body, facing the camera or each other": "双人，半身或全身，正面或面对面",
}
"""What an image should show, by the words of the table of effects."""
