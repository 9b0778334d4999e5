"""Names of secrets: recognized by whole words, however they are written."""

from __future__ import annotations

import pytest

from node_runtime.processes.redaction.secret_names import (
    SECRET_LAST_WORDS,
    SECRET_WORDS,
    Secrecy,
    is_secret_name,
    secrecy_of,
)
from node_runtime.processes.redaction.text_redaction import redact

SECRET = """
auth authorization bearer jwt pwd passwd password passphrase secret token api_key apikey apiKey APIKey private_key
privateKey cookie cookies session_id sessionId credential credentials dsn salt db_password PGPASSWORD MYSQL_PWD
X-Api-Key X-Auth-Token Set-Cookie Proxy-Authorization AWS_SECRET_ACCESS_KEY client_secret pass_word user_pass key
signing_key tls_key_pem authtoken tokens refresh_tokens password2 connection_string csrfmiddlewaretoken jwtSecret
_secret_value basic_auth auth_header otp master_key secrets X-CSRFToken db.password b'password'
"""
OPEN = """
keyboard monkey authors author tokenizer tokenize cookiecutter passenger name keymap compass bypass assign public_key
primary_key sort_key cache_key password_length token_count TokenError KeyError key_type salted user count passes_left
authenticated authority auth_service token_bucket password_file cookie_domain turkey hockey secretary keys_seen max_age
design x ""
"""


@pytest.mark.parametrize("name", SECRET.split())
def test_a_name_with_the_word_of_a_secret_is_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", OPEN.split())
def test_a_name_that_only_contains_the_letters_or_says_something_about_a_secret_is_not(name: str) -> None:
    assert not is_secret_name(name)


def test_a_number_may_be_shown_where_it_counts_secrets() -> None:
    assert [secrecy_of(name) for name in ("max_tokens", "keys", "token", "passcode", "port")] == [
        Secrecy.NO_NUMBERS, Secrecy.NO_NUMBERS, Secrecy.HIDDEN, Secrecy.HIDDEN, Secrecy.OPEN,
    ]  # fmt: skip


def test_the_end_of_a_long_name_decides() -> None:
    assert is_secret_name("x" * 100_000 + "_password")


@pytest.mark.parametrize("word", sorted(SECRET_WORDS | SECRET_LAST_WORDS))
def test_a_text_with_any_of_the_words_is_examined(word: str) -> None:
    assert "hunter2X9" not in redact(f"a text with {word}=hunter2X9 in it")
