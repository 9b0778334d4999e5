"""Texts without secrets: whatever the form of the secret, and in linear time for whatever text."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_runtime.processes.redaction.named_secrets import REDACTED
from node_runtime.processes.redaction.text_redaction import MAX_TEXT_LENGTH, redact, redact_beginning, shown
from node_runtime.protocol.messages import Term
from node_runtime.protocol.wire import pack
from tests.support.hypothesis_profiles import UNHURRIED

S = "hunter2X9"
BEGINNING = 5
"""The characters of a secret that no cut may leave."""
MARK = "afterwards"
PEM = "-----BEGIN RSA PRIVATE KEY-----"

WITH_SECRET = [
    f"password={S}",
    f"login failed: password={S}, user=ana",
    f"{{'password': '{S}', 'user': 'ana'}}",
    f'{{"api_key": "{S}"}}',
    f"{{b'password': b'{S}'}}",
    f"password='it\\'s {S}'",
    f"password: {S},{S}",
    f"PASSWORD := {S}",
    f'"secret"=>"{S}"',
    f"os.environ['DB_PASSWORD'] = '{S}'",
    f"host=x password={S} dbname=y",
    f"AccountKey={S};EndpointSuffix=core",
    f"passphrase: correct {S} battery",
    f"Login(user='ana', auth=Auth(user='x', code='{S}'))",
    f"credentials={{'a': ['{S}', '('], 'b': ')'}}",
    f"<password>{S}</password>",
    f"wrong password '{S}'",
    f"the token {S} has expired",
    f"password is {S}",
    f"the credentials of ana are '{S}'",
    f"the password of bob was {S}",
    f"--password {S} --user x",
    f"['--token', '{S}']",
    f"('Authorization', 'Bearer {S}')",
    f"[(b'cookie', b'{S}'), (b'host', b'x')]",
    f"Authorization: Bearer {S}",
    f"Authorization: Digest username=ana, response={S}",
    f"b'POST / HTTP/1.1\\r\\nAuthorization: Basic {S}\\r\\nHost: x\\r\\n'",
    f"Cookie: a={S}; b={S}\r\nHost: x",
    f"X-Api-Key: {S}",
    f"authorization=Token {S}",
    f"Bearer {S}",
    f"GET /x?token={S}&page=2 HTTP/1.1",
    f"https://x/y?sig={S}&x=1",
    f"postgres://ana:{S}@db/shop",
    f"postgres://ana:p@/{S}@db/shop",
    f"postgres://ana:{S}",
    f"redis://:{S}@h:1/0",
    f"mongodb+srv://u:{S}@c",
    f"https://{S}abcdefgh@host/x",
    f"https://{S}abcdefgh:x-oauth-basic@github.com/x",
    f"https://{S}abcdefgh:@github.com/x",
    f"go to https://x/?next=amqp://ana:{S}@mq",
    f"eyJhbGciOi.{S}.abc",
    f"{PEM}\n{S}\n{S}\n-----END RSA PRIVATE KEY-----",
    f"{PEM}\\n{S}",
    f"ghp_{S}aaaaaaaaaaaa",
    f"sk-{S}{S}aaaa",
    f"xoxb-{S}-1",
    f"hotdash1:operator:{S}:abc",
    f"https://hooks.slack.com/services/T00/B00/{S}",
    f"curl -u bob:{S} https://api.example.com",
    f"['curl', '-sS', '--user', 'bob:{S}', 'https://api.example.com']",
    f"curl --proxy-user=bob:{S} x",
    f"mysql -h db -u bob -p{S} shop",
    f"mysqldump --single-transaction -p{S} shop | gzip",
    f"sshpass -p {S} ssh bob@host",
    f"sshpass -p{S} ssh bob@host",
    f"redis-cli -h db -a {S} ping",
    f"docker login -u bob -p {S} registry.example.com",
    f"smbclient //host/share -U bob%{S}",
    f"Password for bob: {S}",
    f"//bob:{S}@db.example.com/shop",
    f"SECRET_KEY_BASE {S}",
    f"password\n{S}",
    f"password:\n  {S}",
    f"pincode={S}",
    f"kennwort={S}",
    f"SecretStr('{S}')",
    f"HTTPBasicAuth('ana', '{S}')",
    f"Token(value='{S}', n=1)",
    f"password -> {S}",
    f"'password':\n '{S}'",
    f"password: |\n  {S}\n  {S}\nhost: x",
    f'{{\\"password\\": \\"{S}\\"}}',
    f"auth=<Basic of ana, {S}>",
    f"https://x/?next=%2Fy%3Ftoken%3D{S}%26page%3D2",
    f"https://x/callback?code={S}&state=1",
    f'{{"name": "DB_PASSWORD", "value": "{S}"}}',
    f"- name: DB_PASSWORD\n  value: {S}",
    f"<add key='apiKey' value='{S}'/>",
    f"<Password><![CDATA[{S}]]></Password>",
    f'Content-Disposition: form-data; name="token"\r\n\r\n{S}\r\n--x',
    f"b'form-data; name=\"token\"\\r\\n\\r\\n{S}\\r\\n--x'",
    f"CREATE USER ana IDENTIFIED BY '{S}'",
    f"PASS {S}",
    f"AUTH PLAIN {S}",
    f'{{"kty":"oct","k":"{S}"}}',
    f"aws configure set aws_secret_access_key {S}",
    f"Invalid API key: {S}",
    f"Incorrect API key provided: {S}. You can find it on the page",
    f"token mismatch: expected '{S}'",
    f"incorrect password for ana ({S})",
    f"gsk_{S}{S}",
    f"the secret key is {S}",
    f"mot de passe : {S}",
    f"1 error\ndb.password\n  String too short [type=string_too_short, input_value='{S}', input_type=str]",
    f"1 error\ntoken\n  Input should be a number [type=x, input_value={S}, input_type=A]",
    f"DETAIL:  Key (api_key)=({S}) already exists.",
    f'DETAIL:  Key (name, "resetToken")=(ana, {S}) already exists.',
    f"[SQL: INSERT INTO users (name, password) VALUES (?, ?)]\n[parameters: ('ana', '{S}')]\n(see the page)",
    f"[SQL: UPDATE a SET token=$1]\n[parameters: [('{S}',), ('b',)]]",
    f"$6$salt${S}{S}",
    f"contraseña={S}",
    f"пароль: {S}",
    f"{{'密码': '{S}'}}",
    f"conn_str={S}",
    f"recovery_codes=['{S}']",
    f"https://api.telegram.org/bot123456789:AA{S}{S}{S}{S}/send",
]
WITHOUT = [
    "order 4711 of ana was shipped",
    "curl -u https://example.com/a1",
    "mysql -h db -P 3306 shop",
    "docker run -p 8080:80 web1",
    "pin=1, pins: 40",
    "MAX_HTTP_SIZE 1234567a",
    "a//b:c",
    "keyboard=qwerty, authors: ana, bob",
    "KeyError: 'name'",
    "missing key: name",
    "TokenError: bad",
    "max_tokens=300, tokens: 5",
    "password=None, has_password=True",
    "http://localhost:8080/x?page=2",
    "http://[::1]:80/",
    "ssh://git@github.com/x",
    "mail a@b.c http://x.y/?m=a@b.c",
    "basic understanding of things",
    "the bearer of this",
    "2026-01-31 12:00:00,123",
    "module fil.tokens:start_link",
    "/x/auth/token.py:33 refresh",
    "unexpected token '}' at line 3",
    "InvalidToken('it has expired')",
    "TokenError('bad', code=17)",
    "GET /x?code=404&page=2",
    "SHIPPED 4711 to ana",
    "a function def login() -> str",
    "{'name': 'colour', 'value': 'blue'}",
    "name='ana', value=3",
    "AUTH failed for ana",
    "1 error\nname\n  String too short [type=string_too_short, input_value='ana', input_type=str]",
    "DETAIL:  Key (email)=(ana@example.com) already exists.",
    "[SQL: INSERT INTO users (name, key) VALUES (?, ?)]\n[parameters: ('ana', 'abc')]",
    "missing key: name1234 is unknown",
    "task-management-and-other-things",
    "gen_server till <12> (shop_till:Till 1.0) crashed: ValueError: fell",
]
HOSTILE = [
    "password=", "password='", "password \"", "password='\\'", "token=(", "token {", "token=[')", "secret a1",
    "('token',", "'token','b',", "eyJ", "eyJ.", PEM, "://", "://a:b", "x:y://", "key=a,b", "a=", "a:", "key a.",
    "key a-", "bearer ", "bearer a", "basic a:", "--password ", "<key>", "<key>b", "ghp_", "$2a$,", "hotdash1:a:",
    "cookie:\\", "Aa_key", "\\", "\"'", " \t", "password \t", "password &a", "name=a,value=",
    "name=token\r\n", "name=token\r\n\r\na", "Token(a=", "Token('", "%26token%3D", "token%3D", "identified by '",
    "AUTH PLAIN ", "PASS a1", "'kty','k':'", '\\"', 'password=\\"', "password=\n'", "password=|\n a\n", "password=<",
    "dckr_pat_", "dckr_pat_1", "key-a1", "{SSHA", "{SSHA}a", "LS0tLS1CRUdJTi", "scrypt:", "curl -u ", "htpasswd -b a ",
    "net use a ", "sqlplus -a ", "sqlplus a/", "rabbitmqctl add_user ", "echo a|", "echo 'a ", "a:b1cdef@", "thin:a/b",
    "a:22:b:c:d\n", "a:22:b:c:", "Private-Lines: 1\n", "/reset/a1", "&ticket=", "crypt('", "setuser ", "LOGIN a ",
    "<RSAKeyValue><D>", "security code: A",
    "xA3-", "xy0_", "x1//0", "x$apr1$", "'htpasswd', '-b', 'a', ", "'net','use','a',", "wpa_passphrase,", "'login', ",
    "Private-Lines: 1\\r\\n", "a:4444:", "a:*:",
    "token\ninput_value=", "input_value=", "input_value='", "(token)=(", "(", "(a", "[SQL: token [parameters: (",
    "[parameters: (", "[parameters: ('", "[SQL: a",
    "?code=", "a_key ", "token provided ", "token (", "<key><![CDATA[",
]  # fmt: skip


@pytest.mark.parametrize("text", WITH_SECRET)
def test_a_secret_in_a_text_is_left_out(text: str) -> None:
    redacted = redact(text)
    assert S not in redacted
    assert REDACTED in redacted
    assert redact(redacted) == redacted


@pytest.mark.parametrize("text", WITHOUT)
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


@UNHURRIED
@given(st.text("aA1_-.:=/@?&'\"()[]{}<>, \n\\‹›", max_size=60), st.sampled_from(WITH_SECRET))
def test_a_text_that_has_been_redacted_is_not_changed_again(noise: str, text: str) -> None:
    once = redact(f"{noise} {text}")
    assert redact(once) == once


def test_any_text_is_redacted_in_linear_time() -> None:
    """The limit, of processor time, is far above what linear scans need, and far below what square ones need."""
    program = (
        "import sys; from node_runtime.processes.redaction.text_redaction import redact\n"
        "for unit in sys.argv[1:]: redact(('key=' + unit * 65536)[:65536]); redact((unit * 65536)[:65536])"
    )
    done = subprocess.run(
        (sys.executable, "-c", program, *HOSTILE),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (30, 30)),
        check=False,
    )
    assert done.returncode == 0


def test_a_very_long_text_is_cut_so_that_its_rest_can_not_leak() -> None:
    text = redact("x" * MAX_TEXT_LENGTH + f" password={S}")
    assert S not in text
    assert text.endswith("19 more characters)")


@pytest.mark.parametrize("text", [text for text in WITH_SECRET if S not in redact(f"{text} and {MARK}")])
def test_a_cut_shows_neither_the_beginning_of_a_secret_nor_what_comes_after_the_cut(text: str) -> None:
    before, after = "password='a long text, in place of which a short one is shown', ", f" and {MARK}"
    whole = f"{before}{text}{after}"
    for length in range(len(before), len(whole) - len(MARK)):
        beginning = redact_beginning(whole, length)
        assert S[:BEGINNING] not in beginning, length
        assert MARK[:BEGINNING] not in beginning, length
    assert redact_beginning(whole, len(whole)) == redact(whole)


@pytest.mark.parametrize("text", [f"mysql://ana:{S}@db", f"ana:{S}@tcp(db:3306)", f"db:5432:shop:ana:{S}"])
def test_the_cut_of_a_very_long_text_shows_no_beginning_of_a_secret(text: str) -> None:
    begin = text.index(S)
    for shown_part in range(begin + BEGINNING, len(text)):
        filler = "\n" * (MAX_TEXT_LENGTH - shown_part)
        assert S[:BEGINNING] not in redact(filler + text)


def test_a_shown_text_is_one_line_of_printable_characters() -> None:
    assert shown(f"a\n\x1b[2J\x9b\u202e\u2066\u200f\u061c\u2028\u200b\ud800 token={S}").isprintable()
    assert b"\x1b" not in pack(Term(type="str", text=shown("\x1b]0;x\x07")))


def test_a_quoted_value_after_a_verb_is_a_secret_however_short_it_is() -> None:
    assert redact("the credentials of ana are 'S38'") == f"the credentials of ana are '{REDACTED}'"
    assert redact("the token is 'x'") == f"the token is '{REDACTED}'"
    assert redact("the tokens of this page are invalid") == "the tokens of this page are invalid"
