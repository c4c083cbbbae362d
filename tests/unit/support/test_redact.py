"""Secrets out of texts: what is one, what is not, and that nothing else changes."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym._support.redact import keep_secret
from pytest_swegym._support.redact import redact
from pytest_swegym._support.redact import redacted
from pytest_swegym.agents.config import secret


ROOT = Path(__file__).parents[3]
#: Made up, in the forms of the real ones; put together here so that no scanner takes this file for a leak.
RANDOM = "Zq8wT3vN1mK7pR5yB2cX9dF4gH6jL0sAeUiO"
PEM_LINES = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ" + RANDOM[:14]] * 3
PEM = "\n".join(["-----BEGIN RSA PRIVATE" + " KEY-----", *PEM_LINES, "abcd==", "-----END RSA PRIVATE" + " KEY-----"])
SECRETS = {
    "sk-" + RANDOM: "OpenAI key",
    "sk-proj-" + RANDOM + "_-" + RANDOM: "OpenAI key",
    "sk-or-v1-" + "0123456789abcdef" * 4: "OpenAI key",
    "sk-ant-" + "api03-" + RANDOM: "Anthropic key",
    "hf" + "_" + RANDOM[:34]: "Hugging Face token",
    "ghp" + "_" + RANDOM: "GitHub token",
    "github" + "_pat_11ABC" + RANDOM: "GitHub token",
    "glpat" + "-" + RANDOM[:20]: "GitLab token",
    "AKIA" + "Q3RT7VNW2YXZ5B4C": "AWS key",
    "xoxb" + "-123456789012-" + RANDOM: "Slack token",
    "AIza" + RANDOM[:35]: "Google key",
    "sk" + "_live_" + RANDOM: "Stripe key",
    "npm" + "_" + RANDOM: "npm token",
    "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + RANDOM: "JSON web token",
    PEM: "private key",
    PEM.replace("\n", "\\n"): "private key",
    PEM.replace("\n", "\n+"): "private key",
}


@pytest.mark.parametrize(("secret", "kind"), SECRETS.items(), ids=[f"{i}-{k}" for i, k in enumerate(SECRETS.values())])
@pytest.mark.parametrize("around", ["{}", 'key = "{}"\n', "{{'a': '{}'}}", "see ({}), please", "\t{}\r\n"])
def test_well_known_forms(secret: str, kind: str, around: str) -> None:
    assert redact(around.format(secret)) == around.format(f"[redacted: {kind}]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer {}", "Authorization: Bearer [redacted: credentials]"),
        ("authorization: bearer {}\n", "authorization: bearer [redacted: credentials]\n"),
        ("https://me:{}@host/x", "https://me:[redacted: credentials]@host/x"),
        ("MY_API_KEY={}", "MY_API_KEY=[redacted: secret]"),
        ("export DB_PASSWORD='{}'", "export DB_PASSWORD='[redacted: secret]'"),
        ('{{"api_key": "{}"}}', '{{"api_key": "[redacted: secret]"}}'),
        ('{{\\"api_key\\": \\"{}\\"}}', '{{\\"api_key\\": \\"[redacted: secret]\\"}}'),
        ("AWS_SECRET_ACCESS_KEY: {}\nX=1", "AWS_SECRET_ACCESS_KEY: [redacted: secret]\nX=1"),
        ("hooks.slack.com/services/T0/B0/{}", "hooks.slack.com/services/[redacted: Slack webhook]"),
    ],
)
def test_secrets_by_what_stands_before_them(text: str, expected: str) -> None:
    assert redact(text.format(RANDOM)) == expected.format()


def test_basic_credentials() -> None:
    told = base64.b64encode(b"me:s3cret").decode()
    assert redact(f"Authorization: Basic {told}") == "Authorization: Basic [redacted: credentials]"
    assert redact("basic knowledge of YWJj") == "basic knowledge of YWJj"


def test_a_password_in_a_url_needs_not_look_like_a_key() -> None:
    assert redact("git clone https://bob:hunter2@example.org/x.git") == (
        "git clone https://bob:[redacted: credentials]@example.org/x.git"
    )


@pytest.mark.parametrize(
    "text",
    [
        "8d5f1b2c3a4e5d6f7a8b9c0d1e2f3a4b5c6d7e8f",  # a commit
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "TOKEN=os.environ['MY_TOKEN']",
        "api_key=settings.api_key, password=get_password1(a)",
        "max_tokens=128000, token_count = 1234567890123",
        "password: correct-horse-battery",
        "postgres://user:password@localhost/db and redis://:${REDIS_PASS1}@host",
        "https://host:8080/a@b?x=1 ssh://git@github.com/a/b user@host:path",
        "sk-learn-contrib-something-long class='sk-toggleable__label-arrow sk-estimator'",
        "AKIAIOSFODNN7EXAMPLE OPENAI_API_KEY=your-key-1234567890Ab",
        '"-----BEGIN RSA PRIVATE KEY-----" in text and words that follow it for a while',
        "Bearer of bad news from the administration",
        "tests/test_token.py::test_token[secret-1234] PASSED",
        "GITHUB_TOKEN=$SECRET API_KEY=${{ secrets.KEY }} PASSWORD=<password>",
    ],
)
def test_innocent_text_stays(text: str) -> None:
    assert redact(text) == text


def test_gold_patches_and_recorded_logs_stay() -> None:
    texts = [path for path in ROOT.joinpath("task_specs").rglob("*") if path.is_file()]
    texts += ROOT.joinpath("tests/unit/grading").rglob("*.log")
    assert len(texts) > 10
    for path in texts:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        assert redact(text) == text, path


WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [*SECRETS, "TOKEN=", "api_key: ", "Bearer ", "Basic ", "://a:", "@", "sk-", "eyJ", RANDOM, " ", "\n"]
    ),
    st.text("-=:/@._ab1Z \n+'\"", max_size=20),
)


def test_a_value_may_be_as_deep_as_json_reads() -> None:
    key = "sk-" + RANDOM
    value = json.loads("[" * 900 + f'"{key}"' + "]" * 900)
    assert json.dumps(redacted(value)) == json.dumps(value).replace(key, "[redacted: OpenAI key]")


@given(st.lists(WORDS, max_size=8).map("".join))
def test_nothing_but_secrets_changes_and_twice_is_once(text: str) -> None:
    found = redact(text)
    kept = re.split(r"\[redacted: [A-Za-z ]+\]", found)
    assert re.fullmatch("(?s:.+)".join(map(re.escape, kept)), text)
    assert redact(found) == found


@pytest.mark.parametrize(
    "unit",
    ["a", "sk-", "eyJ", "token=", "://a:", "-----BEGIN PRIVATE KEY-----", "bearer ", "A1b2+/", "eyJaaaaaaaaaaa.",
     "Z9\n", "basic aaaa", "password", "\\n", "://", "ghp_", "-----BEGIN PRIVATE KEY-----\n" + "M" * 15 + "\n"],
)  # fmt: skip
def test_long_text_of_half_secrets_comes_to_an_end(unit: str) -> None:
    """With a pattern that looks at the same text again and again this would take hours."""
    text = unit * (2**20 // len(unit))
    assert redact(text + " sk-" + RANDOM) == text + " [redacted: OpenAI key]"


def test_a_line_of_five_megabytes() -> None:
    line = "x = '" + "lorem ipsum token " * 280_000 + "sk-" + RANDOM + "'"
    assert redact(line) == line.replace("sk-" + RANDOM, "[redacted: OpenAI key]")


def test_values_that_are_known_to_be_secret() -> None:
    keep_secret("correct horse/battery")
    keep_secret("correct horse/battery staple")
    keep_secret("EMPTY")
    keep_secret("redacted")
    text = "[correct horse/battery staple] correct%20horse%2Fbattery EMPTY redacted correct horse"
    told = redact(text)
    assert told == "[[redacted: secret]] [redacted: secret] EMPTY redacted correct horse"
    assert redact(told) == told


def test_the_keys_of_agents_are_known_as_soon_as_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_LOGIN", "gateway:winter is coming")
    text = "winter is coming; gateway:winter is coming"
    assert redact(text) == text
    assert secret("MY_LOGIN") == "gateway:winter is coming"
    assert redact(text) == "[redacted: secret]; [redacted: secret]"
    assert (secret("NOT_SET"), secret("")) == ("", "")


def test_all_texts_of_a_json_value() -> None:
    key = "sk-" + RANDOM
    value = {"a": [key, {"b": f"x {key}"}], "n": 1, "none": None, key: True}
    found = {"a": ["[redacted: OpenAI key]", {"b": "x [redacted: OpenAI key]"}], "n": 1, "none": None, key: True}
    assert redacted(value) == found
