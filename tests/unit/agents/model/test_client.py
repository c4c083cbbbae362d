"""The client of a model's server, against a real server that answers by a script."""

from __future__ import annotations

import base64
import email.utils
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_model import Cut
from fake_model import Delay
from fake_model import FakeModel
from fake_model import Raw
from fake_model import Status
from fake_model import bash

from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.config import read_config
from pytest_swegym.agents.model import ModelClient
from pytest_swegym.errors import BudgetSpent
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import ContextTooLong
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import ModelError
from pytest_swegym.errors import ModelRefused
from pytest_swegym.errors import ModelUnavailable


CHAT = [{"role": "user", "content": "Say hello."}]
KEY = "sk-very-secret-0815"


@pytest.fixture
def fake() -> Iterator[FakeModel]:
    with FakeModel() as fake:
        yield fake


@pytest.fixture
def notes() -> list[Any]:
    return []


def client(fake: FakeModel, notes: list[Any] | None = None, **keys: object) -> ModelClient:
    note = (lambda told: None) if notes is None else notes.append
    return ModelClient(read_config(fake.words(**keys)), note=note)


def test_a_key_that_was_given_as_a_word_is_not_shown() -> None:
    with pytest.raises(ConfigError, match=r"--swegym-agent=api_key: there is no 'api_key'.*api_key_env") as caught:
        read_config([f"api_key={KEY}"])
    assert KEY not in str(caught.value)


def test_a_reply_and_what_it_came_to(fake: FakeModel) -> None:
    fake.replies = ["Hello!"]
    fake.usage = {"prompt_tokens": 1000, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 600}}
    asked = client(
        fake, price_input=1, price_cached=0.5, price_output=10, temperature=0, reply_tokens=50, body='{"k": 1}'
    )
    reply = asked.chat(CHAT, seed=2**31 + 3)
    assert (reply.text, reply.finish, reply.model, reply.estimated) == ("Hello!", "stop", "fake-1.0", False)
    assert reply.message == {"role": "assistant", "content": "Hello!"}
    assert (reply.usage.prompt_tokens, reply.usage.cached_tokens, reply.usage.completion_tokens) == (1000, 600, 10)
    assert reply.usage.cost == pytest.approx((400 * 1 + 600 * 0.5 + 10 * 10) / 1e6)
    assert fake.requests == [
        {"model": "fake", "messages": CHAT, "temperature": 0.0, "max_tokens": 50, "seed": 3, "k": 1}
    ]
    asked.chat(CHAT)
    assert asked.usage.requests == 2
    assert asked.usage.prompt_tokens == 2000
    assert asked.usage.cost == pytest.approx(reply.usage.cost * 2)


def test_nothing_is_sent_that_nobody_asked_for(fake: FakeModel) -> None:
    client(fake).chat(CHAT)
    assert fake.requests == [{"model": "fake", "messages": CHAT}]


def test_tool_calls_as_they_were_sent(fake: FakeModel) -> None:
    fake.replies = [bash("ls")]
    schema = {"type": "function", "function": {"name": "bash", "parameters": {"type": "object"}}}
    reply = client(fake).chat(CHAT, tools=[schema])
    assert reply.calls[0]["function"] == {"name": "bash", "arguments": '{"command": "ls"}'}
    assert reply.message == {"role": "assistant", "content": None, "tool_calls": list(reply.calls)}
    assert fake.requests[0]["tools"] == [schema]


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"content": "<think>Hm.</think>\nls"}, "ls", "Hm."),
        ({"content": "<think>It never ends"}, "", "It never ends"),
        ({"content": "ls", "reasoning_content": "Hm."}, "ls", "Hm."),
        ({"content": [{"type": "text", "text": "l"}, {"type": "image"}, {"text": "s"}]}, "ls", ""),
        ({"content": None}, "", ""),
    ],
)
def test_thoughts_are_kept_apart(fake: FakeModel, message: dict[str, Any], text: str, reasoning: str) -> None:
    fake.replies = [message]
    reply = client(fake).chat(CHAT)
    assert (reply.text, reply.reasoning) == (text, reasoning)
    assert reply.message["content"] == message["content"]


@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": 5}, {"prompt_tokens": "many", "completion_tokens": -1}])
def test_missing_usage_is_estimated_and_that_is_said(fake: FakeModel, notes: list[Any], usage: Any) -> None:
    fake.replies, fake.usage = ["x" * 400], usage
    reply = client(fake, notes).chat(CHAT)
    assert reply.estimated
    assert 100 <= reply.usage.completion_tokens < 120
    assert 0 < reply.usage.prompt_tokens < 20
    assert [list(note) for note in notes] == [["usage_estimated"]]


def test_half_of_a_usage_is_completed(fake: FakeModel) -> None:
    fake.usage = {"prompt_tokens": 7, "prompt_cache_hit_tokens": 9}
    reply = client(fake).chat(CHAT)
    assert reply.estimated
    assert (reply.usage.prompt_tokens, reply.usage.cached_tokens) == (7, 7)


ONCE = {
    "429": (Status(429, {"error": {"message": "slow down"}}, {"Retry-After": "0"}), 429, "slow down"),
    "a date": (Status(429, "", {"Retry-After": email.utils.formatdate(0, usegmt=True)}), 429, "429"),
    "500": (Status(500, "oops", {"Retry-After": "0"}), 500, "500"),
    "cut": (Cut(), None, "the answer broke off"),
    "no JSON": (Raw(), 200, "not valid JSON"),
    "a list": (Raw(b"[]"), 200, "no JSON object"),
    "an error within": (Raw(b'{"error": {"message": "overloaded"}}'), 200, "overloaded"),
    "no message": (Raw(b'{"choices": []}'), 200, "no message"),
    "slow": (Delay(9), None, "no answer within"),
}


@pytest.mark.parametrize("case", ONCE)
def test_what_goes_by_is_asked_again(fake: FakeModel, notes: list[Any], case: str) -> None:
    answer, status, said = ONCE[case]
    fake.replies = [answer, "Hello!"]
    timeout = 0.2 if case == "slow" else 30
    reply = client(fake, notes, timeout=timeout).chat(CHAT)
    assert reply.text == "Hello!"
    assert len(fake.requests) == 2
    assert fake.requests[0] == fake.requests[1]
    (note,) = notes
    assert note["retry"]["status"] == status
    assert said in note["retry"]["error"]


def test_a_server_that_stays_down(fake: FakeModel, notes: list[Any]) -> None:
    fake.after = Status(503, {"error": {"message": "maintenance"}}, {"Retry-After": "0.01"})
    with pytest.raises(ModelUnavailable, match=r"503: maintenance \(asked 3 times\)"):
        client(fake, notes, retries=2).chat(CHAT)
    assert len(fake.requests) == 3
    assert [note["retry"]["wait"] for note in notes] == [0.01, 0.01]


def test_nobody_there() -> None:
    with pytest.raises(ModelUnavailable, match=r"no connection: .*; is the server running at http://127.0.0.1:9/v1\?"):
        ModelClient(AgentConfig(model="m", base_url="http://127.0.0.1:9/v1", retries=0)).chat(CHAT)


def test_no_money_is_not_asked_for_again(fake: FakeModel) -> None:
    fake.after = Status(429, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}})
    with pytest.raises(ModelUnavailable, match="quota"):
        client(fake).chat(CHAT)
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind", "way_out"),
    [
        (400, ModelError, "--swegym-agent"),
        (401, ModelRefused, "is the key in $FAKE_MODEL_KEY right?"),
        (403, ModelRefused, "is the key in $FAKE_MODEL_KEY right?"),
        (404, ModelRefused, "base_url"),
    ],
)
def test_a_refusal_names_the_way_out(
    fake: FakeModel, monkeypatch: pytest.MonkeyPatch, status: int, kind: type[ModelError | ModelRefused], way_out: str
) -> None:
    monkeypatch.setenv("FAKE_MODEL_KEY", KEY)
    fake.after = Status(status, {"error": {"message": "not like this"}})
    with pytest.raises(kind, match="not like this") as raised:
        client(fake).chat(CHAT)
    assert way_out in str(raised.value)
    assert (raised.value.status, len(fake.requests)) == (status, 1)
    assert isinstance(raised.value, InfraError) == (status != 400)


def test_a_key_that_is_not_set_is_not_said_to_be_wrong(fake: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAKE_MODEL_KEY", raising=False)
    fake.after = Status(401, {"error": {"message": "who are you?"}})
    with pytest.raises(ModelRefused, match=r"who are you\?; \$FAKE_MODEL_KEY is not set"):
        client(fake).chat(CHAT)


TOO_LONG = [
    ({"code": 400, "type": "exceed_context_size_error", "message": "request exceeds", "n_ctx": 512}, 512),
    ({"code": "context_length_exceeded", "message": "This model's maximum context length is 8192 tokens."}, 8192),
    ({"message": "prompt is too long: 210000 tokens > 200000 maximum"}, 200000),
]


@pytest.mark.parametrize(("error", "limit"), TOO_LONG)
def test_too_long_a_context_is_known(fake: FakeModel, error: dict[str, Any], limit: int) -> None:
    fake.after = Status(400, {"error": error})
    with pytest.raises(ContextTooLong) as raised:
        client(fake).chat(CHAT)
    assert raised.value.limit == limit


def test_names_that_a_server_wants_otherwise(fake: FakeModel) -> None:
    fake.replies = [
        Status(400, {"error": {"message": "Use 'max_completion_tokens' instead."}}),
        Status(422, {"error": {"message": "Extra inputs are not permitted: seed"}}),
        "Hello!",
    ]
    asked = client(fake, reply_tokens=9)
    asked.chat(CHAT, seed=1)
    asked.chat(CHAT, seed=1)
    assert fake.requests[2] == fake.requests[3] == {"model": "fake", "messages": CHAT, "max_completion_tokens": 9}


@pytest.mark.parametrize(
    ("keys", "budget"),
    [
        ({"max_requests": 1}, "requests"),
        ({"max_tokens": 3}, "tokens"),
        ({"max_cost": 1e-6, "price_output": 100, "price_input": 1}, "cost"),
    ],
)
def test_budgets_are_checked_before_each_request(fake: FakeModel, keys: dict[str, object], budget: str) -> None:
    asked = client(fake, **keys)
    assert asked.spent == ""
    asked.chat(CHAT)
    assert asked.spent == budget
    with pytest.raises(BudgetSpent) as raised:
        asked.chat(CHAT)
    assert (raised.value.budget, len(fake.requests)) == (budget, 1)


def test_a_slow_reply_ends_with_the_budget_of_seconds(fake: FakeModel) -> None:
    fake.after = Delay(60)
    with pytest.raises(BudgetSpent, match="seconds"):
        client(fake, max_seconds=0.3).chat(CHAT)


def test_whoever_hurries_has_less(fake: FakeModel) -> None:
    asked = client(fake, max_seconds=1000)
    asked.hurry(0)
    assert asked.spent == "seconds"


def test_a_server_that_asks_for_more_time_than_there_is(fake: FakeModel) -> None:
    fake.after = Status(429, "", {"Retry-After": "100"})
    begin = time.monotonic()
    with pytest.raises(ModelUnavailable):
        client(fake, max_seconds=50).chat(CHAT)
    assert time.monotonic() - begin < 50


def test_who_one_is(fake: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_MODEL_KEY", KEY)
    client(fake, organization="org-1").chat(CHAT)
    assert fake.headers[0]["authorization"] == f"Bearer {KEY}"
    assert fake.headers[0]["openai-organization"] == "org-1"


def test_basic_auth(fake: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_MODEL_LOGIN", f"me:{KEY}")
    client(fake, basic_auth_env="FAKE_MODEL_LOGIN").chat(CHAT)
    wanted = base64.b64encode(f"me:{KEY}".encode()).decode()
    assert fake.headers[0]["authorization"] == f"Basic {wanted}"


@pytest.mark.parametrize("status", [401, 500])
def test_secrets_are_nowhere(fake: FakeModel, notes: list[Any], monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    import traceback

    monkeypatch.setenv("FAKE_MODEL_KEY", KEY)
    monkeypatch.setenv("FAKE_MODEL_LOGIN", "me:hunter2000")
    encoded = base64.b64encode(b"me:hunter2000").decode()
    text = f"Incorrect key {KEY}, login hunter2000, Basic {encoded}"
    fake.after = Status(status, {"error": {"message": text}}, {"Retry-After": "0"})
    asked = client(fake, notes, retries=1, basic_auth_env="FAKE_MODEL_LOGIN")
    with pytest.raises((ModelError, ModelUnavailable)) as raised:
        asked.chat(CHAT)
    told = "".join(traceback.format_exception(raised.value)) + repr(notes) + repr(asked) + repr(asked.config)
    assert "Incorrect key ***, login ***, Basic ***" in str(raised.value)
    for secret in (KEY, "hunter2000", encoded):
        assert secret not in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["api_key_env=NO_SUCH_KEY"], "NO_SUCH_KEY is not set"),
        (["base_url=http://x/v1", "basic_auth_env=NO_SUCH"], "NO_SUCH is not set"),
        (["base_url=http://me:secret@x/v1"], "basic_auth_env"),
        (["base_url=127.0.0.1:8000/v1"], "--swegym-agent=base_url: write it with http://"),
        (["max_cots=1"], "there is no 'max_cots'; did you mean 'max_cost'"),
        (["best_of.selct=vote"], "did you mean 'best_of.select'"),
        (["compaction=sumary"], "'sumary' is not known; did you mean 'summary'"),
        (["base_url=http://x/v1", "body=[1]"], "expected a JSON object"),
        (["base_url=http://x/v1", "body={"], "not valid JSON"),
        (["base_url=http://x/v1", 'body={"stream": true}'], "leave out stream"),
        (["base_url=http://x/v1", "max_cost=1"], "price_input"),
    ],
)
def test_what_cannot_work_is_said_at_once(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("$", "")):
        ModelClient(read_config(words))


def test_an_address_of_code_is_looked_at_too() -> None:
    with pytest.raises(ConfigError, match="base_url: write it with http://"):
        ModelClient(AgentConfig(model="m", base_url="localhost:8000/v1"))


def test_an_address_of_the_environment_is_looked_at_and_shown_bare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000/v1")
    with pytest.raises(ConfigError, match=r"\$OPENAI_BASE_URL: write it with http://"):
        ModelClient(AgentConfig(model="m"))
    monkeypatch.setenv("OPENAI_BASE_URL", "http://me:secret@127.0.0.1:9/v1")
    with pytest.raises(ModelUnavailable, match=r"is the server running at http://127.0.0.1:9/v1\?"):
        ModelClient(AgentConfig(model="m", retries=0)).chat(CHAT)


def test_a_body_from_a_toml_file(fake: FakeModel, tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text("[body]\ntop_k = 3\nchat_template_kwargs = {enable_thinking = false}\n")
    config = read_config([*fake.words(), "agent.toml"], root=tmp_path)
    ModelClient(config).chat(CHAT)
    assert fake.requests[0]["top_k"] == 3
    assert fake.requests[0]["chat_template_kwargs"] == {"enable_thinking": False}


def test_the_only_model_is_taken(fake: FakeModel) -> None:
    client(fake, model="").chat(CHAT)
    assert fake.requests[0]["model"] == "fake"
    fake.models = [{"id": "one"}, {"id": "two"}]
    with pytest.raises(ModelRefused, match="one, two"):
        client(fake, model="").chat(CHAT)


@pytest.mark.parametrize(
    ("keys", "model", "found"),
    [
        ({"context_tokens": 10}, {}, 10),
        ({}, {"max_model_len": 4096}, 4096),
        ({}, {"meta": {"n_ctx": 2048}}, 2048),
        ({}, {"meta": {"n_ctx_train": 2048}}, 0),
        ({}, {"id": "other", "max_model_len": 4096}, 0),
    ],
)
def test_the_context_that_a_server_tells(fake: FakeModel, keys: Any, model: Any, found: int) -> None:
    fake.models = [{"id": "fake", **model}]
    assert client(fake, **keys).context_tokens() == found


def test_embeddings(fake: FakeModel) -> None:
    asked = client(fake)
    first, second = asked.embed(["add two numbers", "read a file"])
    assert asked.embed(["add two numbers"]) == [first] != [second]
    assert fake.embedded[0] == ["add two numbers", "read a file"]
    assert asked.usage.requests == 2
    assert asked.usage.prompt_tokens > 0
