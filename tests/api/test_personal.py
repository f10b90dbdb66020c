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


def test_a_text_that_cannot_be_taken_is_cut_where_the_first_field_begins_that_is_not_kept() -> None:
    raw = '{"id": 7, "rate": NaN, "runs": [{"id": 1, "testProfileData": {"name": "Ana"}}]}'

    assert PersonalData().without_the_rest(raw) == '{"id": 7, "rate": NaN, "runs": [{"id": 1, '
    assert PersonalData(profiles=True).without_the_rest(raw) == raw


@pytest.mark.parametrize("name", [r"transcr\u0069pt", "transcript" + "x" * 300, r"say \"transcript\""])
def test_such_a_field_is_found_however_its_name_is_written(name: str) -> None:
    assert PersonalData().without_the_rest(f'{{"id": 7, "{name}": "hello"}}') == '{"id": 7, '


def test_of_a_value_that_no_document_describes_what_was_said_is_left_out_however_it_is_given() -> None:
    said = {"rate": 1, "messages": ["hi"], "turns": [{"speaker": "a", "text": "hi"}, {"speed": 2}]}
    kept = {"rate": 1, "turns": [{"speed": 2}]}

    assert PersonalData().allowed(said) == kept
    assert PersonalData().allowed([{"as_text": json.dumps(said)}]) == [
        {"as_text": '{"rate":1,"turns":[{"speed":2}]}'}
    ]
    assert PersonalData().allowed('{ "rate": 1 }') == '{ "rate": 1 }'
    assert PersonalData().allowed("{no JSON") == "{no JSON"
    assert PersonalData(transcripts=True).allowed(said | {"waveform": [1]}) == said
