"""What each of the service's refusals means to the user: every row of its error table, written down by hand."""

from __future__ import annotations

import pytest
from wanpack.wan.api.advice import service_error
from wanpack.wan.api.errors import (
    AuthenticationError,
    BadRequest,
    ContentRejected,
    NetworkError,
    PermissionDenied,
    RateLimited,
    ServerError,
    ServiceError,
    UnexpectedResponse,
)
from wanpack.wan.api.task import Task, TaskStatus, parse_task
from wanpack.wan.errors import InvalidRequest, WanError

INTERNAL = "An internal error has occured, please try again later or contact service support."
DOWNLOAD = "Unable to download the media resource during the data inspection process."
BUSY = "Too many requests. Your requests are being throttled due to system capacity limits."

# dashscope.md 2: HTTP status, code, message, and what it is for us. "..." is cut text of the documents.
ACCESS = [
    (401, "InvalidApiKey", "Invalid API-key provided.", AuthenticationError),
    (401, "invalid_api_key", "Incorrect API key provided.", AuthenticationError),
    (401, "InvalidApiKey", "No API-key provided.", AuthenticationError),
    (
        401,
        "NOT AUTHORIZED",
        "Access denied: Either you are not authorized to access this workspace...",
        AuthenticationError,
    ),
    (401, "invalid access token", "", AuthenticationError),
    (403, "AccessDenied", "current user api does not support synchronous calls.", PermissionDenied),
    (403, "access_denied", "current user api does not support synchronous calls.", PermissionDenied),
    (403, "AccessDenied", "Current user api does not support asynchronous calls.", PermissionDenied),
    (403, "AccessDenied", "Invalid according to Policy: Policy expired.", PermissionDenied),
    (403, "AccessDenied", "Access denied.", PermissionDenied),
    (403, "AccessDenied.Unpurchased", "Access to model denied. Please make sure you are eligible...", PermissionDenied),
    (403, "Model.AccessDenied", "Model access denied.", PermissionDenied),
    (403, "App.AccessDenied", "App access denied.", PermissionDenied),
    (403, "Workspace.AccessDenied", "Workspace access denied.", PermissionDenied),
    (403, "Endpoint.AccessDenied", "", PermissionDenied),
    (403, "AllocationQuota.FreeTierOnly", "The free tier of the model has been exhausted...", PermissionDenied),
    (400, "Arrearage", "Access denied, please make sure your account is in good standing.", PermissionDenied),
    (404, "ModelNotFound", "Model can not be found.", BadRequest),
    (404, "model_not_found", "The model xxx does not exist or you do not have access to it.", BadRequest),
    (400, "InvalidParameter", "Model not exist.", BadRequest),
    (404, "model_not_supported", "Unsupported model xxx for OpenAI compatibility mode.", BadRequest),
    (404, "WorkSpaceNotFound", "WorkSpace can not be found.", BadRequest),
    (404, "NotFound", "Not found!", BadRequest),
    (429, "CommodityNotPurchased", "Commodity has not purchased yet.", PermissionDenied),
    (429, "PrepaidBillOverdue", "The prepaid bill is overdue.", PermissionDenied),
    (429, "PostpaidBillOverdue", "The postpaid bill is overdue.", PermissionDenied),
]
REQUEST = [
    (400, "InvalidParameter", "url error, please check url！", BadRequest),
    (400, "InvalidParameter", "Required parameter(xxx) missing or invalid...", BadRequest),
    (400, "InvalidParameter", "Field required: input.img_url", BadRequest),
    (400, "InvalidParameter", "The request is missing required parameters or in a wrong format...", BadRequest),
    (400, "InvalidParameter", "Required body invalid, please check the request body format.", BadRequest),
    (400, "InvalidParameter", "The provided URL does not appear to be valid...", BadRequest),
    (400, "InvalidParameter", "Failed to download multimodal content.", BadRequest),
    (400, "InvalidParameter", "Download the media resource timed out during the data inspection...", BadRequest),
    (400, "InvalidParameter", DOWNLOAD, BadRequest),
    (400, "InvalidParameter.DataInspection", DOWNLOAD, BadRequest),
    (400, "InvalidParameter", "Failed to find the requested media resource during the data...", BadRequest),
    (400, "InvalidParameter", "Don't have authorization to access the media resource during...", BadRequest),
    (400, "InvalidParameter", "Failed to decode the image during the data inspection.", BadRequest),
    (
        400,
        "InvalidParameter",
        "The media format is not supported or incorrect for the data inspection.",
        BadRequest,
    ),
    (400, "InvalidParameter", "Invalid image format or corrupted file", BadRequest),
    (400, "InvalidParameter", "read image error.", BadRequest),
    (400, "InvalidParameter", "image format error", BadRequest),
    (400, "InvalidParameter", "download image failed", BadRequest),
    (400, "InvalidParameter", "the size of input image is too small or too large.", BadRequest),
    (400, "InvalidParameter", "The image size is not supported for the data inspection.", BadRequest),
    (400, "InvalidParameter", "The size is not match xxxxxx", BadRequest),
    (400, "InvalidParameter", "The image content does not comply with green network verification.", ContentRejected),
    (400, "InvalidImageResolution", "The input image resolution is too large or small.", BadRequest),
    (400, "InvalidImageFormat", "The input image is in invalid format.", BadRequest),
    (400, "InvalidImage.FileFormat", "The input image is in invalid format.", BadRequest),
    (400, "InvalidImage.ImageSize", "The size of image is beyond limit.", BadRequest),
    (400, "InvalidFile.ImageSize", "The size of image is beyond limit.", BadRequest),
    (400, "InvalidFile.Resolution", "The image resolution is invalid, please make sure that...", BadRequest),
    (400, "InvalidFile.Size", "Invalid file size. The image file size must be less than xxxMB.", BadRequest),
    (400, "InvalidFile.Duration", "Invalid file duration. The file duration must be xxx s ~ yyy s.", BadRequest),
    (400, "InvalidFile.AspectRatio", "", BadRequest),
    (400, "InvalidFile.Format", "", BadRequest),
    (400, "InvalidFile.Openerror", "", BadRequest),
    (400, "InvalidFile.FPS", "", BadRequest),
    (400, "InvalidFile.Value", "", BadRequest),
    (400, "InvalidFile.Template.Content", "Invalid template content.", BadRequest),
    (400, "InvalidFile.NoHuman", "", BadRequest),
    (400, "InvalidFile.MultiHuman", "", BadRequest),
    (400, "InvalidFile.FullBody", "", BadRequest),
    (400, "InvalidFile.FacePose", "", BadRequest),
    (400, "InvalidFile.BodyPose", "", BadRequest),
    (400, "InvalidURL", "Invalid URL provided in your request.", BadRequest),
    (400, "InvalidURL", "Required URL is missing or invalid...", BadRequest),
    (400, "InvalidURL", "The request URL is invalid, make sure the url is correct and is an image.", BadRequest),
    (400, "InvalidURL", "...request image format is one of JPEG, JPG, PNG, BMP, and WEBP.", BadRequest),
    (400, "InvalidURL", "The input audio is longer than xxs.", BadRequest),
    (400, "InvalidURL", "File size is larger than 15MB.", BadRequest),
    (400, "InvalidURL", "File type is not supported. Allowed types are: .wav, .mp3.", BadRequest),
    (400, "InvalidURL.ConnectionRefused", "Connection to xxx refused...", BadRequest),
    (400, "InvalidURL.Timeout", "Download xxx timeout...", BadRequest),
    (400, "BadRequest.EmptyInput", "Required input parameter missing from request.", BadRequest),
    (400, "BadRequest.EmptyParameters", 'Required parameter "parameters" missing from request.', BadRequest),
    (400, "BadRequest.EmptyModel", 'Required parameter "model" missing from request.', BadRequest),
    (400, "BadRequest.IllegalInput", "The input parameter requires json format.", BadRequest),
    (400, "BadRequest.InputDownloadFailed", "", BadRequest),
    (400, "BadRequest.UnsupportedFileFormat", "", BadRequest),
    (400, "BadRequest.ResourceNotExist", "", BadRequest),
    (400, "BadRequest.TooLarge", "Payload Too Large.", BadRequest),
    (400, "BadRequest.TooLarge", "Exceeded limit on max bytes to request body : 6291456", BadRequest),
    (413, "", "", BadRequest),
    (400, "DataInspectionFailed", "Input or output data may contain inappropriate content.", ContentRejected),
    (400, "data_inspection_failed", "Output data may contain inappropriate content.", ContentRejected),
    (400, "IPInfringementSuspect", "Input data is suspected of being involved in IP infringement.", ContentRejected),
    (400, "CustomRoleBlocked", "", ContentRejected),
    (400, "FaqRuleBlocked", "", ContentRejected),
    (400, "UnsupportedOperation", "The operation is unsupported on the referee object.", BadRequest),
    (400, "UnsupportedOperation", "Failed to cancel the task, please confirm if the task is...", BadRequest),
    (400, "APIConnectionError", "Connection error.", BadRequest),
]
SERVER = [
    (429, "Throttling", "Requests throttling triggered.", RateLimited),
    (429, "Throttling", "Too many requests in route. Please try again later.", RateLimited),
    (429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later.", RateLimited),
    (429, "LimitRequests", "You have exceeded your request limit.", RateLimited),
    (429, "limit_requests", "You have exceeded your request limit.", RateLimited),
    (429, "ResourceExhausted", "", RateLimited),
    (429, "Throttling.BurstRate", "Request rate increased too quickly...", RateLimited),
    (429, "limit_burst_rate", "Request rate increased too quickly...", RateLimited),
    (429, "Throttling.AllocationQuota", "Allocated quota exceeded, please increase your quota limit.", RateLimited),
    (429, "insufficient_quota", "You exceeded your current quota...", PermissionDenied),
    (429, "Throttling.AllocationQuota", "Free allocated quota exceeded.", PermissionDenied),
    (429, "insufficient_quota", "Free allocated quota exceeded.", PermissionDenied),
    (429, "Throttling.Concurrency", "", RateLimited),
    (500, "InternalError", INTERNAL, ServerError),
    (500, "internal_error", "Internal server error!", ServerError),
    (500, "InternalError.Algo", "inference internal error.", ServerError),
    (500, "InternalError.Algo", "Missing Content-Length of multimodal url.", ServerError),
    (500, "InternalError.FileUpload", "oss upload error.", ServerError),
    (500, "InternalError.Upload", "Failed to upload result.", ServerError),
    (500, "InternalError.Timeout", "An internal timeout error has occured during execution...", ServerError),
    (500, "RewriteFailed", "Failed to rewrite content for prompt.", ServerError),
    (500, "SystemError", "", ServerError),
    (500, "ModelServiceFailed", "", ServerError),
    (500, "RequestTimeOut", "", ServerError),
    (500, "ResponseTimeout", "", ServerError),
    (500, "ModelServingError", BUSY, ServerError),
    (503, "ModelServingError", BUSY, ServerError),
    (503, "ServiceUnavailable", BUSY, ServerError),
    (503, "ModelUnavailable", BUSY, ServerError),
]
TABLE = [*ACCESS, *REQUEST, *SERVER]


def refusal(code, message="", *, http_status=400, **ids):
    return service_error(code=code, message=message, http_status=http_status, **ids)


@pytest.mark.parametrize(("http_status", "code", "message", "kind"), TABLE)
def test_a_documented_refusal_is_of_its_kind_and_says_what_to_do(http_status, code, message, kind):
    error = refusal(code, message, http_status=http_status)
    assert type(error) is kind
    assert error.hint


@pytest.mark.parametrize(("http_status", "code", "message", "kind"), TABLE)
def test_only_throttling_and_faults_of_the_service_are_worth_the_same_call_again(http_status, code, message, kind):
    assert refusal(code, message, http_status=http_status).retry is (kind in (RateLimited, ServerError))


@pytest.mark.parametrize(("http_status", "code", "message", "kind"), [row for row in TABLE if row[1]])
def test_a_failed_task_says_that_nothing_was_charged(http_status, code, message, kind):
    task = Task(task_id="t-1", status=TaskStatus.FAILED, request_id="r-1", code=code, message=message)
    failure = task.failure()
    said = str(failure)
    assert (failure.failed, failure.http_status) == (True, 200)
    assert said.startswith(f"The task failed, {code}")
    assert "othing was charged" in said
    assert said.endswith("(task t-1, request id r-1)")


@pytest.mark.parametrize(("http_status", "code", "message", "kind"), [row for row in TABLE if row[1]])
def test_a_failed_task_has_the_kind_of_its_code(http_status, code, message, kind):
    assert type(refusal(code, message, http_status=200)) is kind


@pytest.mark.parametrize(
    ("pascal", "snake"),
    [
        ("InvalidApiKey", "invalid_api_key"),
        ("ModelNotFound", "model_not_found"),
        ("DataInspectionFailed", "data_inspection_failed"),
        ("InternalError", "internal_error"),
        ("LimitRequests", "limit_requests"),
        ("AccessDenied", "access_denied"),
        ("InvalidFile.Duration", "invalid_file.duration"),
    ],
)
def test_a_codes_spelling_does_not_matter(pascal, snake):
    one, other = refusal(pascal), refusal(snake)
    assert (type(one), one.hint) == (type(other), other.hint)


@pytest.mark.parametrize(
    ("code", "parent"),
    [
        ("InvalidFile.SomethingNew", "InvalidFile"),
        ("InvalidFile.Some.Thing", "InvalidFile"),
        ("Throttling.New", "Throttling"),
        ("InternalError.New", "InternalError"),
        ("AccessDenied.New", "AccessDenied"),
    ],
)
def test_an_unknown_child_means_what_its_parent_means(code, parent):
    child, known = refusal(code), refusal(parent)
    assert (type(child), child.hint) == (type(known), known.hint)
    assert child.code == code


def test_a_known_child_is_not_taken_for_its_parent():
    assert refusal("InternalError.Timeout").hint != refusal("InternalError").hint
    assert "abandoned the task" in refusal("InternalError.Timeout").hint


@pytest.mark.parametrize(
    ("http_status", "kind"),
    [
        (400, BadRequest),
        (401, AuthenticationError),
        (403, PermissionDenied),
        (404, BadRequest),
        (409, BadRequest),
        (413, BadRequest),
        (429, RateLimited),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (200, BadRequest),
    ],
)
def test_an_unknown_code_is_judged_by_its_status(http_status, kind):
    error = refusal("SomethingNew", "Who knows.", http_status=http_status)
    assert type(error) is kind
    assert error.hint
    assert "SomethingNew: Who knows." in str(error)


@pytest.mark.parametrize(
    ("code", "message", "advice"),
    [
        ("InvalidApiKey", "Invalid API-key provided.", "Check the key: it must belong to the region in use"),
        ("NOT AUTHORIZED", "Access denied: ...", "workspace_id"),
        ("AccessDenied", "Invalid according to Policy: Policy expired.", "Run again"),
        ("AccessDenied.Unpurchased", "Access to model denied.", "Activate Model Studio"),
        ("AllocationQuota.FreeTierOnly", "The free tier of the model has been exhausted.", "use free tier only"),
        ("Arrearage", "Access denied, ...", "Settle the bill"),
        ("InvalidParameter", "Model not exist.", "Choose another model, or another region"),
        ("InvalidParameter", "Failed to download multimodal content.", "could not load a file"),
        ("InvalidURL.Timeout", "Download https://a.example/file-manage-files/audio.mp3 timeout", "could not load"),
        ("InvalidURL.ConnectionRefused", "Connection to file.example refused", "could not load a file"),
        ("InvalidURL", "The input audio is longer than 30s.", "the message names the limit"),
        ("BadRequest.TooLarge", "Payload Too Large.", "smaller image"),
        ("DataInspectionFailed", "Output data may contain inappropriate content.", "Change the prompt or the image"),
        ("RewriteFailed", "Failed to rewrite content for prompt.", "switch prompt_extend off"),
        ("Throttling.RateQuota", "Requests rate limit exceeded.", "Wait a minute"),
        ("Endpoint.AccessDenied", "Workspace endpoint access denied.", "another workspace"),
        ("AccessDenied", "current user api does not support synchronous calls.", "header"),
        ("InvalidParameter", "media.url scheme must be http/https, got: 'oss'", "header"),
        ("InvalidFile.DownloadFailed", "", "could not load a file"),
        ("InvalidParameter", "Failed to download <image>", "could not load a file"),
        ("InvalidImage.NoHuman", "", "show a person"),
        ("InvalidFile.FullBody", "", "show a person"),
    ],
)
def test_the_advice_fits_the_refusal(code, message, advice):
    assert advice in refusal(code, message).hint


def test_an_error_says_what_happened_then_what_to_do_then_the_ids():
    error = refusal("Arrearage", "Access denied.", failed=True, http_status=200, task_id="t-1", request_id="r-1")
    assert str(error).splitlines() == [
        "The task failed, Arrearage: Access denied.",
        "Settle the bill in the console, wait a few minutes, then run again. Nothing was charged.",
        "(task t-1, request id r-1)",
    ]
    assert (error.code, error.service_message, error.http_status) == ("Arrearage", "Access denied.", 200)


def test_an_error_without_a_message_or_ids_has_no_empty_parts():
    error = refusal("SystemError", http_status=500)
    assert str(error).splitlines() == [
        "DashScope returned HTTP 500, SystemError.",
        "This is an error at DashScope. Run again.",
    ]


@pytest.mark.parametrize(("http_status", "code", "message", "kind"), TABLE)
@pytest.mark.parametrize("formed", [True, False])
def test_a_refused_create_call_says_that_nothing_was_charged_where_that_is_proven(
    http_status, code, message, kind, formed
):
    proven = http_status == 429 or (formed and http_status < 500)
    assert ("charged" in refusal(code, message, http_status=http_status, formed=formed).hint) is proven


@pytest.mark.parametrize("family", ["InternalError.Algo", "Something.New", "Throttling"])
@pytest.mark.parametrize(
    ("last", "kind"), [("InvalidParameter", BadRequest), ("DataInspectionFailed", ContentRejected)]
)
def test_the_last_part_of_a_code_counts_before_its_family(family, last, kind):
    error = refusal(f"{family}.{last}", "No.", http_status=400)
    assert type(error) is kind
    assert not error.retry


@pytest.mark.parametrize("code", ["InternalError", "Throttling.RateQuota", "SystemError", "ServiceUnavailable"])
def test_no_400_is_worth_the_same_call_again(code):
    assert not refusal(code, "No.", http_status=400).retry
    assert refusal(code, "No.", http_status=429 if code.startswith("Throttling") else 500).retry


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("Throttling", "The budget configured in Budget Management has been exhausted."),
        ("Throttling.Quota", "\u9884\u7b97\u989d\u5ea6\u5df2\u7528\u5c3d"),
        ("BudgetLimitExceeded", ""),
        ("LimitRequests", "Your account is in arrears."),
        ("insufficient_quota", "You exceeded your current quota."),
        ("CommodityExpired", ""),
        ("SomethingNew", "Free quota used up."),
        ("SomethingNew", "\u8d26\u6237\u4f59\u989d\u4e0d\u8db3"),
    ],
)
def test_a_429_of_the_account_is_reported_at_once(code, message):
    error = refusal(code, message, http_status=429)
    assert type(error) is PermissionDenied
    assert "budget or quota" in error.hint


@pytest.mark.parametrize("code", ["InternalError", "InvalidParameter", "ServiceUnavailable"])
def test_a_429_in_the_words_of_another_error_is_throttling_that_nobody_knows(code):
    error = refusal(code, "No.", http_status=429)
    assert type(error) is RateLimited
    assert not error.known


@pytest.mark.parametrize(
    ("code", "end"),
    [("InternalError.Algo.InvalidFile.Size", "InvalidFile.Size"), ("New.InvalidImage.Odd", "InvalidImage")],
)
def test_what_the_end_of_a_code_says_counts_however_long_it_is(code, end):
    assert (type(refusal(code)), refusal(code).hint) == (type(refusal(end)), refusal(end).hint)


def test_a_free_tier_that_is_used_up_is_reported_with_the_way_out():
    error = refusal("AllocationQuota.FreeTierOnly", "The free tier of the model has been exhausted.", http_status=403)
    assert "use free tier only" in error.hint


def test_an_unknown_429_is_known_as_that():
    assert not refusal("SomethingNew", "Who knows.", http_status=429).known
    assert refusal("Throttling.RateQuota", http_status=429).known


@pytest.mark.parametrize(
    ("http_status", "code", "message", "kind"), [*TABLE, (200, "InvalidApiKey", "", AuthenticationError)]
)
def test_a_refused_call_about_a_task_says_nothing_of_what_the_task_costs(http_status, code, message, kind):
    error = refusal(code, message, http_status=http_status, task_id="t-1")
    assert str(error).startswith(f"DashScope returned HTTP {http_status}")
    assert "charged" not in str(error)
    assert "t-1" in str(error)


def test_a_failed_task_without_a_code_is_still_an_error():
    error = Task(task_id="t-1", status=TaskStatus.FAILED).failure()
    assert str(error).startswith("The task failed without a reason.")
    assert "message says" not in str(error)


@pytest.mark.parametrize("outside", [True, False])
def test_a_failed_task_tells_its_code_wherever_it_stands(outside):
    words = {"code": "InvalidParameter", "message": "The size is not match."}
    output = {"task_status": "FAILED"} | ({} if outside else words)
    task = parse_task(
        {"output": output, "request_id": "r-1"} | (words if outside else {}), task_id="t", server_time=0.0
    )
    assert str(task.failure()).startswith("The task failed, InvalidParameter: The size is not match.")


@pytest.mark.parametrize(
    "output",
    [
        {"video_url": "https://a.example/v.mp4"},
        {"results": {"video_url": "https://a.example/v.mp4"}},
        {"results": [{"url": "https://a.example/a.png"}, {"video_url": "https://a.example/v.mp4"}]},
    ],
)
def test_a_videos_address_is_found_in_the_results_too(output):
    task = parse_task({"output": {"task_status": "SUCCEEDED", **output}}, task_id="t", server_time=0.0)
    assert task.video_url == "https://a.example/v.mp4"


@pytest.mark.parametrize("results", [None, {}, [], "x", [7], {"video_url": 7}, [{"url": "https://a.example/a.png"}]])
def test_a_task_that_made_no_video_has_no_address(results):
    task = parse_task({"output": {"task_status": "SUCCEEDED", "results": results}}, task_id="t", server_time=0.0)
    assert (task.status, task.video_url) == (TaskStatus.SUCCEEDED, "")


def test_a_state_of_tomorrow_is_kept_by_its_name():
    task = parse_task({"output": {"task_status": "archiving"}}, task_id="t", server_time=0.0)
    assert (task.status, task.state, task.status.is_waiting) == (TaskStatus.OTHER, "ARCHIVING", False)


@pytest.mark.parametrize(
    "kind", [AuthenticationError, PermissionDenied, BadRequest, ContentRejected, RateLimited, ServerError]
)
def test_every_refusal_is_an_error_of_the_service_and_of_the_pack(kind):
    assert issubclass(kind, ServiceError)
    assert issubclass(kind, WanError)


@pytest.mark.parametrize("kind", [ServiceError, NetworkError, UnexpectedResponse, InvalidRequest])
def test_every_error_of_the_pack_can_be_caught_as_one(kind):
    assert issubclass(kind, WanError)


def test_faults_are_listed_one_a_line_and_then_it_is_said_that_nothing_was_paid():
    error = InvalidRequest(["seed: too large", "image: too small"])
    assert str(error).splitlines() == [
        "- seed: too large",
        "- image: too small",
        "Nothing was submitted; nothing was charged.",
    ]
    assert error.problems == ("seed: too large", "image: too small")


def test_a_single_fault_is_the_first_line():
    assert str(InvalidRequest(["seed: too large"])).splitlines() == [
        "seed: too large",
        "Nothing was submitted; nothing was charged.",
    ]
