"""What is shown of URLs, and of events that hold them or secrets."""

from __future__ import annotations

import pytest

from marscore.events import Warned
from marscore.policy.redact import Redactor
from marscore.public import is_token_like, public_url, token_values


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://a/b%7e/c", "http://a/b%7e/c"),
        ("http://u:p@a:81/b?x=%7e&y", "http://a:81/b?x=%7e&y"),
        ("http://u@a/b", "http://a/b"),
        ("http://a/b#part", "http://a/b"),
        ("http://a/b?x=1&Token=abc&y=", "http://a/b?x=1&Token=***&y="),
        ("http://a/b?%74oken=abc&x=a%20b", "http://a/b?token=***&x=a+b"),
        ("http://a/b?tokens_of_all=%2F&flag", "http://a/b?tokens_of_all=***&flag="),
        ("no URL?", "***"),
    ],
)
def test_a_url_is_shown_without_what_opens_doors(url: str, shown: str) -> None:
    assert public_url(url) == shown


def test_a_name_is_known_however_it_is_encoded() -> None:
    for name in ("sig", "SIG", "%73ig", "X-Amz-Signature", "api_key", "apikey", "key", "Code", "JSESSIONID"):
        assert is_token_like(name), name
    for name in ("design", "keys", "monkey", "coder", "", "x"):
        assert not is_token_like(name), name


def test_values_are_told_as_written_and_as_meant() -> None:
    assert token_values("x=1&token=a%2Bb+c&sig=&%6bey=k=v") == ["a%2Bb+c", "k=v", "a+b c", "k=v"]


def test_words_of_servers_lose_secrets_and_what_urls_hold() -> None:
    redactor = Redactor({"hunter2hunter2": "${PASSWORD}", "open": "***"}, words=("open",))
    assert redactor.secrets == {"hunter2hunter2": "${PASSWORD}", "open": "***"}
    assert redactor.words == {"open"}
    assert redactor.text("opened hunter2hunter2, open") == "opened ${PASSWORD}, ***"
    assert redactor.text("see http://u:p@a/?key=1 and HTTP://b/?x=hunter2hunter2#y") == "see http://a/?key=*** and HTTP://b/?x=${PASSWORD}"
    assert redactor.url("http://u@a/hunter2hunter2?sig=1") == "http://a/${PASSWORD}?sig=***"


def test_an_event_is_redacted_where_it_holds_text_and_left_alone_otherwise() -> None:
    redactor = Redactor({"hunter2hunter2": "${PASSWORD}"})
    silent = Warned(1.0, None, "nothing")
    assert redactor.event(silent) is silent
    assert redactor.event(Warned(1.0, "hunter2hunter2", "it said hunter2hunter2")) == Warned(1.0, "hunter2hunter2", "it said ${PASSWORD}")
