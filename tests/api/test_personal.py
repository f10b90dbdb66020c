"""Which fields may hold personal data, by their names."""

import json

import pytest

from cekura_sync.api.personal import PersonalData, harmless


@pytest.mark.parametrize(
    "name",
    [
        "transcript",
        "transcript_object",
        "voiceRecording",
        "recordingUrl",
        "stereo_recording_url",
        "messages",
        "conversation_history",
        "phoneNumber",
        "customerphone",
        "transcription",
        "conversation_turns",
        "metadata",
        "test_profile_data",
        "testProfileData",
        "waveform",
    ],
)
def test_what_may_hold_what_was_said_or_who_called_is_not_kept(name: str) -> None:
    assert not PersonalData().keeps(name)
    assert PersonalData(transcripts=True).keeps(name) == (name != "waveform")
    assert PersonalData(profiles=True).keeps(name) == ("rofile" in name)


@pytest.mark.parametrize(
    "name",
    [
        "error_message",
        "duration",
        "scenario_name",
        "percentage_of_conversation_turns_with_interruption",
        "is_recording_enabled",
        "total_audio_seconds",
        "conversation_duration",
        "transcriptWordCount",
        "audio_latency_ms",
        "recordingEnabled",
        "microphone_noise",
    ],
)
def test_other_fields_are_kept(name: str) -> None:
    assert PersonalData().keeps(name)


def test_of_a_payload_only_plain_values_under_harmless_names_are_kept() -> None:
    payload = {
        "endedReason": "hangup",
        "region": {"transcript": "x"},
        "end_reason": "x" * 101,
        "cost": 0.12,
        "customer": "Ana",
    }

    assert harmless(payload) == {"endedReason": "hangup", "cost": 0.12}
    assert harmless("not JSON") == {}


def test_a_text_of_fields_loses_those_that_are_not_kept() -> None:
    raw = '{"id": 7, "rate": NaN, "runs": [{"id": 1, "testProfileData": {"name": "Ana"}}, {"text": "hi", "role": "user"}]}'

    assert PersonalData().allowed_text(raw) == '{"id":7,"rate":NaN,"runs":[{"id":1}]}'
    assert PersonalData(transcripts=True).allowed_text(raw) == raw


@pytest.mark.parametrize(
    "name",
    [
        "transcript",
        r"transcr\u0069pt",
        "transcript" + "x" * 300,
        r"say \"transcript\"",
        "role",
        "content",
    ],
)
@pytest.mark.parametrize("times", [0, 1, 2])
def test_what_nobody_can_read_is_cut_where_the_first_such_field_begins_however_it_is_written(
    name: str, times: int
) -> None:
    field = f'"{name}": "hello"'
    for _ in range(times):
        field = json.dumps(field)[1:-1]

    cut = PersonalData().allowed_text('{"id": 7, ' + field)

    assert cut in ('{"id": 7, ', '{"id": 7, "say ')


@pytest.mark.parametrize(("escapes", "kept"), [(r"\ud83d\ude42", "🙂"), (r"\ud83d", "\ufffd")])
def test_what_is_cut_holds_no_half_of_a_surrogate_pair(escapes: str, kept: str) -> None:
    """No database takes one."""
    cut = PersonalData().allowed_text(f'{{"n": 01, "a": "{escapes}", "role": 1')

    assert cut == f'{{"n": 01, "a": "{kept}", '


FIELDS = {"rate": 1, "messages": ["hi"], "turns": [{"speaker": "a", "text": "hi"}, {"speed": 2}]}
LEFT = {"rate": 1, "turns": [{"speed": 2}]}


def test_of_a_value_that_no_document_describes_what_was_said_is_left_out() -> None:
    assert PersonalData().allowed(FIELDS) == LEFT
    assert PersonalData().allowed('{ "rate": 1 }') == '{ "rate": 1 }'
    assert PersonalData().allowed({"content": "hi", "Role": "agent"}) is None
    assert PersonalData().allowed('{"content": "hi", "role": "agent"}') == "null"
    assert PersonalData().allowed("{no JSON") == "{no JSON"
    assert PersonalData().allowed('"Nightly", she said') == '"Nightly", she said'
    assert PersonalData(transcripts=True).allowed(FIELDS | {"waveform": [1]}) == FIELDS


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(FIELDS),
        " \n" + json.dumps(FIELDS),
        "\ufeff" + json.dumps(FIELDS),
        json.dumps(json.dumps(FIELDS)),
        json.dumps("\n" + json.dumps(json.dumps(FIELDS))),
        json.dumps(FIELDS | {"rate": float("nan")}),
        json.dumps(FIELDS)[:-1] + ', "more": 1e999}',
        json.dumps(FIELDS)[:-1] + ', "more": "\t"}',
        json.dumps(FIELDS)[:-1],
        "[" * 5000 + json.dumps(FIELDS),
    ],
    ids=lambda text: text[:12] + text[-12:],
)
def test_the_same_where_it_is_given_as_a_text(text: str) -> None:
    (left,) = PersonalData().allowed([{"as_text": text}])

    assert '"hi' not in left["as_text"].replace("\\", "")
    assert PersonalData(transcripts=True).allowed(text) == text
