"""Which fields may hold personal data, and which of them a sync keeps. Nothing of the kind is kept unless it is asked for."""

import json
import re
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

# What was said in a call, or who was on the line, under whatever name it comes.
SPOKEN = (
    "transcript",
    "recording",
    "conversation",
    "messages",
    "utterance",
    "dialog",
    "chat_history",
    "chat_log",
    "audio",
    "phone",
    "email",
    "caller",
    "customer",
    "from_number",
    "to_number",
)
SPEAKERS = ("role", "speaker")  # with them a turn of a conversation says whose it is
OF_A_TURN = (*SPEAKERS, "content", "text", "message", "speech")
# A field whose name begins or ends so is a figure or a flag: nobody said it.
ENDS_OF_FIGURES = (
    "_available",
    "_count",
    "_duration",
    "_enabled",
    "_latency",
    "_length",
    "_minutes",
    "_ms",
    "_percent",
    "_percentage",
    "_rate",
    "_ratio",
    "_score",
    "_seconds",
)
FIGURES = (
    "average_",
    "count_of_",
    "has_",
    "is_",
    "mean_",
    "number_of_",
    "percentage_of_",
    "share_of_",
    "total_",
)
PROFILE = "test_profile"
NEVER = "waveform"  # 16 kB of drawing a run
PAYLOAD = "metadata"  # the whole answer of the telephony provider
# What such an answer says about the call itself. Values other than plain texts and numbers are left out even here.
HARMLESS = (
    "call_end_reason",
    "call_status",
    "call_type",
    "cost",
    "direction",
    "disconnect_reason",
    "disconnection_reason",
    "duration",
    "duration_ms",
    "duration_seconds",
    "end_reason",
    "ended_by",
    "ended_reason",
    "environment",
    "hangup_reason",
    "language",
    "latency",
    "model",
    "provider",
    "region",
    "version",
)
LONGEST_HARMLESS = 100  # characters; a reason is shorter than anything that somebody said


# What may stand before an object or array in its text: whitespace, and the mark of the byte order.
WHITESPACE = " \t\r\n\ufeff"
_NAME = re.compile(r'"([^"]*)"\s*:')
_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4}))?")


class PersonalData(NamedTuple):
    """What a sync was asked to keep."""

    transcripts: bool = False
    profiles: bool = False
    since: datetime | None = None  # of results created before, nothing of the kind

    def keeps(self, name: str) -> bool:
        """Whether a field of that name may be stored."""
        words = _snake(name)
        if NEVER in words:
            return False
        if PROFILE in words:
            return self.transcripts or self.profiles
        spoken = words == PAYLOAD or any(word in words.replace("microphone", "") for word in SPOKEN)
        return self.transcripts or not spoken or words.startswith(FIGURES) or words.endswith(ENDS_OF_FIGURES)

    def metadata(self, payload: object) -> object:
        """The provider's answer; without transcripts only what is known to be harmless, or None."""
        if self.transcripts:
            return payload
        return harmless(payload) or None

    def allowed(self, value: Any) -> Any:
        """A value that no document describes, without what may not be kept, however deep it lies; None for a turn."""
        if isinstance(value, dict):
            kept = ((name, item) for name, item in value.items() if self.keeps(name) and self._may_stay(item))
            return {name: self.allowed(item) for name, item in kept} if self._may_stay(value) else None
        if isinstance(value, list):
            return [self.allowed(item) for item in value if self._may_stay(item)]
        return self.allowed_text(value) if may_hold_fields(value) else value

    def _may_stay(self, item: object) -> bool:
        return self.transcripts or not _is_turn(item)

    def allowed_text(self, text: str) -> str:
        """Of an object or array that is given as text; where nothing is left out, the text as it was.

        A text that nobody can read is cut where the first field begins that may not be kept.
        """
        try:
            inside = json.loads(text.strip(WHITESPACE), strict=False)
            kept = self.allowed(inside)
            return text if kept == inside else json.dumps(kept, separators=(",", ":"))
        except (ValueError, RecursionError):
            return self._cut(text)

    def _cut(self, text: str) -> str:
        plain = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)) if escape[1] else "", text)
        # Half a surrogate pair has no place in a database.
        plain = plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        plain = re.sub('"+', '"', plain)  # a name may hold quotes that were escaped
        begins = (name.start() for name in _NAME.finditer(plain) if not self._may_begin(name[1]))
        first = next(begins, None)
        return text if first is None else plain[:first]

    def _may_begin(self, name: str) -> bool:
        """Whether a field of that name may stand in a text of which only the names can be read."""
        return self.keeps(name) and (self.transcripts or _snake(name) not in OF_A_TURN)

    def of_time(self, created: int | None) -> "PersonalData":
        """What may be kept of a result of that time, in microseconds since 1970; nothing where it may be too old."""
        if self.since is None or (created is not None and created >= self.since.timestamp() * 1e6):
            return self
        return PersonalData()


def may_hold_fields(value: object) -> bool:
    """An object or an array, also as the text of one, or as a text of such a text."""
    if type(value) is not str:
        return type(value) is dict or type(value) is list
    text = value.lstrip(WHITESPACE)
    if not text.startswith('"'):
        return text.startswith(("{", "["))
    try:
        return may_hold_fields(json.loads(text))
    except (ValueError, RecursionError):
        return False


def _is_turn(value: object) -> bool:
    """Whether somebody says something in it."""
    return isinstance(value, dict) and any(_snake(name) in SPEAKERS for name in value)


def harmless(payload: object) -> dict[str, Any]:
    """What is known to be harmless of a provider's answer, given as an object or as its JSON text."""
    if isinstance(payload, str):
        try:
            payload = msgspec.json.decode(payload)
        except (msgspec.DecodeError, RecursionError):
            return {}
    if not isinstance(payload, dict):
        return {}
    return {name: value for name, value in payload.items() if _snake(name) in HARMLESS and _is_plain(value)}


def _snake(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower())


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and len(value) <= LONGEST_HARMLESS)
