"""The nodes' texts in Chinese. Braces are filled with values from the tables: see `facts.py`."""

from __future__ import annotations

from dataclasses import dataclass

CATEGORIES = {"DashScope Wan": "百炼 万相"}


@dataclass(frozen=True)
class Words:
    """A node in Chinese: its name, its description, and the name and tooltip of each input and output."""

    name: str
    description: str
    inputs: dict[str, tuple[str, str]]
    outputs: tuple[tuple[str, str], ...]


_OFFERED = "仅列出模型支持的取值。"
_IMAGE = ("图像", "视频的首帧。批次中的每张图像各生成一个视频，分别计费。")
_SEED = ("随机数种子", "更换种子会生成新的视频并计费；种子不变则返回已保存的视频。")
_SEED_OF_IMAGES = (_SEED[0], f"{_SEED[1]}第 i 张图像使用 seed + i。")
_WATERMARK = ("水印", "在视频右下角添加百炼的水印。")
_PREFIX = (
    "文件名前缀",
    "输出文件夹中的文件名，可带子文件夹和 %year%、%month%、%day%、%hour%、%minute%、%second%。",
)
_CONNECTION = ("连接", "地域、业务空间和等待时限，来自“百炼 连接”节点；不连接时用本机设置。")
_MODEL = ("模型", "决定可用的分辨率、时长、输入和价格，对比见帮助页。")
_RESOLUTION = ("分辨率", f"近似高度，影响价格；{_OFFERED}")
_DURATION = ("时长", f"视频的秒数，按秒计费；{_OFFERED}")
_PROMPT_EXTEND = ("提示词智能改写", "由百炼改写提示词：短提示词效果更好，但耗时更长。")
_NEGATIVE_PROMPT = ("反向提示词", "不希望出现的内容，最多 {negative_limit} 个字符。")
_SHOT_TYPE = ("镜头类型", "multi 在多个镜头之间切换，需要打开提示词智能改写。")
_GENERATE_AUDIO = ("生成声音", "关闭后生成无声视频。")
_AUDIO_URL = ("音频 URL", "视频音频的 URL（http、https 或 oss），WAV 或 MP3；比视频长时截断。")
_AUDIO = ("音频", "视频的音频，会上传到百炼；比视频长时截断，比视频短时结尾无声。")
_RATIO = ("画面比例", f"视频的宽高比；{_OFFERED}")
_LAST_FRAME = ("尾帧", "视频的最后一帧；批次可以共用一张图像，也可以每个视频一张。")
_VIDEO_OUTPUTS = (
    ("视频路径", "已保存的 MP4 的绝对路径，每个视频一个。"),
    ("视频", "已保存的视频，可接“保存视频”“获取视频组件”等 VIDEO 节点。"),
    ("任务 ID", "百炼的任务 ID，24 小时内可用“万相 取回任务”取回。"),
    ("回执", "JSON：请求、结果、费用估算和计费金额。"),
)

NODES = {
    "DashScopeWanImageToVideo": Words(
        "万相 图生视频（首帧）",
        "用阿里云百炼的万相模型生成以该图像开头的视频，并保存到本地。按视频秒数计费；请求在付费之前经过校验。"
        "再次运行同一个工作流会继续原来的任务，或返回已保存的视频，不会重复计费。",
        {
            "image": _IMAGE,
            "prompt": (
                "提示词",
                "描述运动、镜头和声音；图像已经给出了场景。文本列表则每张图像一条。",
            ),
            "model": _MODEL,
            "resolution": _RESOLUTION,
            "duration": _DURATION,
            "shot_type": _SHOT_TYPE,
            "prompt_extend": _PROMPT_EXTEND,
            "negative_prompt": _NEGATIVE_PROMPT,
            "seed": _SEED_OF_IMAGES,
            "generate_audio": _GENERATE_AUDIO,
            "watermark": _WATERMARK,
            "audio_url": _AUDIO_URL,
            "filename_prefix": _PREFIX,
            "audio": _AUDIO,
            "connection": _CONNECTION,
            "last_frame": _LAST_FRAME,
            "ratio": ("画面比例", "视频的宽高比；adaptive 与图像一致。"),
        },
        _VIDEO_OUTPUTS,
    ),
    "DashScopeWanVideoEffect": Words(
        "万相 视频特效",
        "用百炼的特效模板让图像动起来，不需要提示词，并保存视频。按视频秒数计费。仅限北京地域。",
        {
            "image": _IMAGE,
            "template": ("特效模板", "特效；帮助页列出各模板对图像内容的要求。"),
            "model": _MODEL,
            "resolution": _RESOLUTION,
            "duration": _DURATION,
            "seed": _SEED_OF_IMAGES,
            "watermark": _WATERMARK,
            "filename_prefix": _PREFIX,
            "connection": _CONNECTION,
        },
        _VIDEO_OUTPUTS,
    ),
    "DashScopeWanFetchTask": Words(
        "万相 取回任务",
        "下载以前某个任务的视频；任务还在运行时会等待。错误信息、状态文字和回执中都有任务 ID；"
        "百炼保留任务和视频 24 小时。免费。",
        {
            "task_id": ("任务 ID", "错误信息、状态文字或回执中显示的任务 ID。"),
            "filename_prefix": _PREFIX,
            "connection": _CONNECTION,
        },
        _VIDEO_OUTPUTS,
    ),
    "DashScopeWanLastFrame": Words(
        "视频尾帧",
        "以 IMAGE 输出视频的最后一帧：接到另一个万相节点的图像输入，即可从视频结束处继续。只解码视频的结尾。",
        {
            "video": ("视频", "一个视频；与视频路径二选一。"),
            "video_path": (
                "视频路径",
                "视频在 ComfyUI 的 input、output 或 temp 文件夹中的路径；与视频二选一。",
            ),
            "match": ("匹配颜色", "用于镜头不动的片段相接：让尾帧的平均颜色和反差与这张图像一致，避免逐段偏色。"),
        },
        (("图像", "最后一帧，一张图像。"),),
    ),
    "DashScopeWanConnection": Words(
        "百炼 连接",
        "选择百炼的地域、业务空间和等待时限。API Key 不会出现在工作流里，而是取自环境变量 DASHSCOPE_API_KEY 或 "
        "credentials.toml。地域 offline 在本机免费渲染测试视频，不需要 Key。",
        {
            "region": (
                "地域",
                "default：DASHSCOPE_REGION 或 beijing。offline：免费测试，无需 Key。Key 分地域有效。",
            ),
            "workspace_id": (
                "业务空间 ID",
                "百炼业务空间的 ID，例如 llm-abc123。{workspace_regions}和部分模型必须填写。",
            ),
            "max_wait_minutes": (
                "最长等待（分钟）",
                "渲染超过此分钟数后，节点停止等待；排队时间不计，任务会继续运行。",
            ),
        },
        (("连接", "接到万相节点的连接输入。"),),
    ),
    "DashScopeWanContinueVideo": Words(
        "万相 视频续写",
        "用阿里云百炼的万相模型续写视频片段，并保存完整的视频。时长包含原片段，全部时长都计费；"
        "wan3.0 另计原片段的秒数。",
        {
            "prompt": (
                "提示词",
                "描述接下来的运动、镜头运动和声音；片段已经给出了场景。",
            ),
            "model": _MODEL,
            "resolution": _RESOLUTION,
            "duration": ("时长", f"完整视频的秒数，包含原片段，按秒计费；{_OFFERED}"),
            "prompt_extend": _PROMPT_EXTEND,
            "video": ("视频", "要续写的片段，视频以它开头；MP4 或 MOV，长度因模型而异；与视频路径二选一。"),
            "video_path": (
                "视频路径",
                "片段在 input、output 或 temp 文件夹中的路径；与视频二选一。",
            ),
            "last_frame": ("尾帧", "视频的最后一帧，一张图像。"),
            "negative_prompt": _NEGATIVE_PROMPT,
            "seed": _SEED,
            "watermark": _WATERMARK,
            "filename_prefix": _PREFIX,
            "connection": _CONNECTION,
            "generate_audio": _GENERATE_AUDIO,
        },
        _VIDEO_OUTPUTS,
    ),
    "DashScopeWanJoinVideos": Words(
        "视频拼接",
        "按输入的顺序把多个视频拼接成一个 MP4。同类视频原样复制，不损失画质；否则按第一个视频的尺寸和帧率编码一次。"
        "免费。",
        {
            **{f"video_{number}": (f"视频 {number}", "一个视频，或按顺序排列的视频列表。") for number in range(1, 7)},
            "video_paths": ("视频路径", "更多视频：input、output 或 temp 文件夹中的路径，每行一个。"),
            "drop_repeated_frame": (
                "去掉重复帧",
                "用于首尾相接的片段：去掉每段的最后一帧，下一段正是从它开始。",
            ),
            "filename_prefix": _PREFIX,
        },
        (("视频路径", "已保存的 MP4 的绝对路径。"), ("视频", "拼接后的视频。")),
    ),
    "DashScopeWanTextToVideo": Words(
        "万相 文生视频",
        "用阿里云百炼的万相模型按提示词生成视频，并保存到本地。按视频秒数计费；请求在付费之前经过校验。"
        "再次运行同一个工作流会继续原来的任务，或返回已保存的视频，不会重复计费。",
        {
            "prompt": ("提示词", "描述画面内容，以及有声视频中的声音。"),
            "model": _MODEL,
            "resolution": _RESOLUTION,
            "ratio": _RATIO,
            "duration": _DURATION,
            "prompt_extend": _PROMPT_EXTEND,
            "count": ("数量", "生成几个视频，每个用不同的种子，分别计费。"),
            "seed": (_SEED[0], f"{_SEED[1]}第 i 个视频使用 seed + i。"),
            "negative_prompt": _NEGATIVE_PROMPT,
            "generate_audio": _GENERATE_AUDIO,
            "audio": _AUDIO,
            "shot_type": _SHOT_TYPE,
            "watermark": _WATERMARK,
            "audio_url": _AUDIO_URL,
            "filename_prefix": _PREFIX,
            "connection": _CONNECTION,
        },
        _VIDEO_OUTPUTS,
    ),
    "DashScopeWanReferenceToVideo": Words(
        "万相 参考生视频",
        "用阿里云百炼的万相模型，让参考图和参考视频中的人和物出现在新视频里，并保存。提示词对参考的称呼因模型而异。"
        "按秒计费，参考视频的秒数也计费。",
        {
            "prompt": (
                "提示词",
                "描述内容；参考称为图1、视频1、音频1，happyhorse 为 [Image 1]，wan2.6 为 character1。",
            ),
            "model": _MODEL,
            "resolution": _RESOLUTION,
            "ratio": _RATIO,
            "duration": _DURATION,
            "prompt_extend": _PROMPT_EXTEND,
            **{
                f"reference_{number}": (
                    f"参考 {number}",
                    "图像、视频片段或声音（wan3.0）；分类编号，wan2.6 统一编号。批次算多张图像。",
                )
                for number in range(1, 9)
            },
            "first_frame": ("首帧", "视频的第一帧；视频的宽高比与它一致，不按画面比例。"),
            **{
                f"voice_{number}": (f"音色 {number}", f"参考 {number} 的声音：1 至 10 秒说话录音，只取音色，不用内容。")
                for number in range(1, 6)
            },
            "negative_prompt": _NEGATIVE_PROMPT,
            "seed": _SEED,
            "generate_audio": _GENERATE_AUDIO,
            "shot_type": (_SHOT_TYPE[0], "multi 在多个镜头之间切换。"),
            "watermark": _WATERMARK,
            "filename_prefix": _PREFIX,
            "connection": _CONNECTION,
        },
        _VIDEO_OUTPUTS,
    ),
    "DashScopeWanVideoEdit": Words(
        "万相 视频编辑",
        "用阿里云百炼的万相模型按提示词修改视频片段，并保存视频。原片段和新视频的秒数都计费。",
        {
            "prompt": ("提示词", "描述要修改的内容；wan3.0 对图像的称呼是图1、图2，依此类推。"),
            "model": _MODEL,
            "resolution": _RESOLUTION,
            "duration": ("时长", f"视频的秒数，按秒计费；0 表示与原片段相同；{_OFFERED}"),
            "prompt_extend": _PROMPT_EXTEND,
            "video": ("视频", "要修改的片段，MP4 或 MOV，长度因模型而异；也可填写视频路径。"),
            **{
                f"image_{number}": (f"图像 {number}", "提示词提到的事物，例如要换上的外套；一个批次算多张图像。")
                for number in range(1, 6)
            },
            "audio_setting": ("声音处理", "origin 保留原声；auto 在提示词提到声音时可能生成新的声音。"),
            "generate_audio": _GENERATE_AUDIO,
            "ratio": ("画面比例", f"视频的宽高比；adaptive 与原片段一致；{_OFFERED}"),
            "negative_prompt": _NEGATIVE_PROMPT,
            "seed": _SEED,
            "watermark": _WATERMARK,
            "video_path": ("视频路径", "片段在 input、output 或 temp 文件夹中的路径；与视频二选一。"),
            "video_url": ("视频 URL", "片段的公网地址，MP4 或 MOV，代替视频；此时无法预知价格。"),
            "filename_prefix": _PREFIX,
            "connection": _CONNECTION,
        },
        _VIDEO_OUTPUTS,
    ),
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
"""The content of an effect's image, by its English text in the table of effects."""
