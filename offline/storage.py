"""The mock server's object storage.

Upload policies, uploaded files, signed links to videos (dashscope.md section 4).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .responses import HttpError, oss_error_response

POLICY_SECONDS = 300
OBJECT_LIFE = 48 * 3600
LINK_LIFE = 24 * 3600
MAX_FILE_MB = 100
_ACCESS_ID = "LTAIofflineOFFLINE"
_SECONDS = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Stored:
    """An uploaded file: where it lies, the model its policy named, when it came."""

    path: Path
    model: str
    at: float


class Storage:
    """Uploads under `folder`. Safe to use from several threads."""

    def __init__(self, folder: Path, *, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._secret = secrets.token_bytes(20)
        self._models: dict[str, str] = {}
        self._objects: dict[str, Stored] = {}

    def policy(self, model: str, *, host: str) -> dict[str, object]:
        """Make the `data` object of a getPolicy response. What is uploaded with it is bound to `model`."""
        now = self._clock()
        day = datetime.fromtimestamp(now, timezone.utc).strftime("%Y-%m-%d")
        folder = f"dashscope-instant/offline/{day}/{uuid.uuid4()}"
        ends = datetime.fromtimestamp(now + POLICY_SECONDS, timezone.utc)
        rules = {
            "expiration": ends.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "conditions": [
                ["content-length-range", 0, MAX_FILE_MB * 1024 * 1024],
                ["starts-with", "$key", f"{folder}/"],
                {"x-oss-object-acl": "private"},
                {"x-oss-forbid-overwrite": "true"},
            ],
        }
        with self._lock:
            self._models[folder] = model
        policy = base64.b64encode(json.dumps(rules).encode()).decode()
        return {
            "policy": policy,
            "signature": self._sign(policy),
            "upload_dir": folder,
            "upload_host": host,
            "expire_in_seconds": POLICY_SECONDS,
            "max_file_size_mb": MAX_FILE_MB,
            "capacity_limit_mb": 999999999,
            "oss_access_key_id": _ACCESS_ID,
            "x_oss_object_acl": "private",
            "x_oss_forbid_overwrite": "true",
        }

    def receive(self, fields: Sequence[tuple[str, bytes]]) -> int:
        """Take a file in, by the form's names and contents. Returns the status of the response.

        Raises HttpError with the storage's XML.
        """
        names = [name for name, _ in fields]
        if not all(names) or not names:
            raise malformed_form()
        # The storage ignores what comes after the file; here that is an error, for nobody means it.
        if names.count("file") != 1 or names[-1] != "file":
            message = "POST requires exactly one file upload per request, as the last field."
            raise _refused(400, "InvalidArgument", message=message)
        data = fields[-1][1]
        form = {name.lower(): content.decode("utf-8", "replace") for name, content in fields[:-1]}
        rules = self._checked_policy(form)
        key = form.get("key", "")
        _check_conditions(rules["conditions"], form=form, size=len(data))
        folder, _, name = key.rpartition("/")
        if not name or folder not in self._models:
            raise _denied('Invalid according to Policy: Policy Condition failed: ["starts-with", "$key"]')
        with self._lock:
            if key in self._objects:
                message = "The object you specified already exists and can not be overwritten."
                raise _refused(409, "FileAlreadyExists", message=message)
            path = self._folder / uuid.uuid4().hex
            self._objects[key] = Stored(path, model=self._models[folder], at=self._clock())
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        wanted = form.get("success_action_status", "204")
        return int(wanted) if wanted in ("200", "201", "204") else 204

    def find(self, address: str) -> Stored | None:
        """Return the file behind an oss:// URL, or None where there is none or it is over 48 h old."""
        with self._lock:
            stored = self._objects.get(address.removeprefix("oss://"))
        if stored is None or self._clock() >= stored.at + OBJECT_LIFE:
            return None
        return stored

    def link(self, path: str, *, made: float) -> str:
        """Return `path` with a signature that ends 24 h after `made`."""
        expires = str(int(made + LINK_LIFE))
        signature = quote(self._sign(f"{path}\n{expires}"), safe="")
        return f"{path}?Expires={expires}&OSSAccessKeyId={_ACCESS_ID}&Signature={signature}"

    def check_link(self, path: str, *, query: Mapping[str, str]) -> None:
        """Refuse a link that was changed or has ended. Raises HttpError with the storage's XML."""
        expires = query.get("Expires", "")
        if not query.get("Signature") or query.get("OSSAccessKeyId") != _ACCESS_ID or not _SECONDS.fullmatch(expires):
            raise _denied("You have no right to access this object because of bucket acl.")
        if self._clock() >= int(expires):
            raise _denied("Request has expired.")
        self._check_signature(f"{path}\n{expires}", query["Signature"])

    def _checked_policy(self, form: Mapping[str, str]) -> dict[str, Any]:
        if form.get("ossaccesskeyid") != _ACCESS_ID:
            raise _refused(
                403, "InvalidAccessKeyId", message="The OSS Access Key Id you provided does not exist in our records."
            )
        policy = form.get("policy", "")
        self._check_signature(policy, form.get("signature", ""))
        rules: dict[str, Any] = json.loads(base64.b64decode(policy))
        ends = datetime.strptime(rules["expiration"], "%Y-%m-%dT%H:%M:%S.000Z").replace(tzinfo=timezone.utc)
        if self._clock() >= ends.timestamp():
            raise _denied("Invalid according to Policy: Policy expired.")
        return rules

    def _sign(self, text: str) -> str:
        return base64.b64encode(hmac.new(self._secret, text.encode(), hashlib.sha1).digest()).decode()

    def _check_signature(self, text: str, signature: str) -> None:
        if not hmac.compare_digest(self._sign(text).encode(), signature.encode()):
            raise _refused(
                403,
                "SignatureDoesNotMatch",
                message="The request signature we calculated does not match the signature you provided.",
            )


def _check_conditions(conditions: list[Any], *, form: Mapping[str, str], size: int) -> None:
    for condition in conditions:
        if isinstance(condition, dict):
            kept = all(form.get(name) == value for name, value in condition.items())
        elif condition[0] == "content-length-range":
            if size > condition[2]:
                raise _refused(400, "EntityTooLarge", message="Your proposed upload exceeds the maximum allowed size.")
            kept = True
        else:
            kept = form.get(condition[1].removeprefix("$"), "").startswith(condition[2])
        if not kept:
            raise _denied(f"Invalid according to Policy: Policy Condition failed: {json.dumps(condition)}")


def malformed_form() -> HttpError:
    """Refuse a form that cannot be read."""
    message = "The body of your POST request is not well-formed multipart/form-data."
    return _refused(400, "MalformedPOSTRequest", message=message)


def _refused(status: int, code: str, *, message: str) -> HttpError:
    return HttpError(oss_error_response(status, code=code, message=message))


def _denied(message: str) -> HttpError:
    return _refused(403, "AccessDenied", message=message)
