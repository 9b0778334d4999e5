"""Secrets that only their form or their place gives away: tokens of issuers, options of programs, statements."""

from __future__ import annotations

import json
import subprocess

import pytest

from node_runtime.processes.redaction.named_secrets import REDACTED
from node_runtime.processes.redaction.text_redaction import redact

S = "hunter2X9"
BODY = "u7Kq2mWz9Rt4Lx8Pv3Nb6Yc1Dg5Hj0Fs"
HEX = "4c65568b90edca9f9f06037f5e6661e3"

TOKENS = [
    f"gldt-{BODY}", f"glptt-{BODY}", f"GOCSPX-{BODY}", f"1//0{BODY}", f"dckr_pat_{BODY}", f"dp.st.prd.{BODY}",
    f"sq0atp-{BODY}", f"shpca_{HEX}", f"ATCTT3{BODY}", f"ATBB{BODY}", f"glc_{BODY}", f"PMAK-{BODY}",
    f"sb_secret_{BODY}", f"sbp_{HEX}", f"apify_api_{BODY}", f"napi_{BODY}", f"pscale_oauth_{BODY}", f"fm2_{BODY}",
    f"xkeysib-{HEX}", f"nvapi-{BODY}", f"pplx-{BODY}", f"xai-{BODY}", f"pat-na1-{BODY}", f"ntn_{BODY}",
    f"rubygems_{HEX}", f"NRAK-{BODY}", f"r8_{BODY}", f"sgp_{HEX}", f"ABSK{BODY}", f"LTAI{BODY}", f"AKID{BODY}",
    f"key-{HEX}", f"dapi{HEX}", "ABIALSQWQDVHNOT4LKP6", f"A3-6ZJOJY-{BODY}", f"$apr1$x${BODY}", f"{{SSHA}}{BODY}",
    f"{{SSHA512}}{BODY}", f"{{CRYPT}}{BODY}", f"scrypt:32768:8:1${BODY}", f"LS0tLS1CRUdJTiBSU0Eg{BODY}",
]  # fmt: skip
COMMANDS = [
    f"curl -b session={S} x", f"curl -E cert.pem:{S} x", f"http -a ana:{S} x", f"sqlcmd -S h -U sa -P {S}",
    f"bcp t out f -U sa -P{S}", f"sqlplus scott/{S}@orcl", f"sqlplus -S scott/{S}@orcl", f"az login -u a -p {S}",
    f"ssh-keygen -N {S} -f x", f"openssl enc -k {S}", f"openssl rsa -passin pass:{S}", f"keytool -storepass {S}",
    f"zip -P {S} x.zip y", f"7z x -p{S} a.7z", f"rar x -hp{S} a", f"ldapsearch -w{S} -D x", f"lftp -u a,{S} h",
    f"net use x: \\\\h\\s {S} /user:a", f"mosquitto_sub -P {S}", f"rabbitmqctl add_user ana {S}",
    f"htpasswd -b file ana {S}", f"htpasswd -bn ana {S}", f"echo {S} | sudo -S ls", f"echo ana:{S} | chpasswd",
    f"useradd -p {S} ana", f"vault login {S}", f"cqlsh -u a -p {S}", f"beeline -n a -p {S}",
    f"etcdctl --user root:{S} get x", f"cypher-shell -u neo4j -p {S}", f"twine upload -u a -p {S}",
    f"wpa_passphrase home {S}", f"ipmitool -H h -U a -P {S}", f"snmpget -v2c -c {S} h", f"xfreerdp /u:a /p:{S}",
    f"mysqladmin -u root password {S}", f"vault login '{S}'", f"['sqlcmd', '-U', 'sa', '-P', '{S}']",
    f"['7z', 'x', '-p{S}', 'a.7z']",
]  # fmt: skip
ARGUMENTS = [
    ["rabbitmqctl", "add_user", "ana", S], ["htpasswd", "-bc", "file", "ana", S], ["htpasswd", "-bn", "ana", S],
    ["vault", "login", S], ["sqlplus", "-s", f"scott/{S}@db"], ["wpa_passphrase", "at home", S],
    ["net", "use", "Z:", "\\\\h\\s", S, "/user:a"], ["mysqladmin", "-u", "root", "password", S],
    ["az", "login", "-u", "a", "-p", S], ["bcp", "t", "out", "f", "-U", "sa", "-P", S], ["lftp", "-u", f"a,{S}", "h"],
    ["unzip", "-P", S, "f"], [f"htpasswd -bn ana {S}", "other"],
]  # fmt: skip
PUTTY = f"PuTTY-User-Key-File-3: ssh-rsa\r\nPrivate-Lines: 2\r\nAAAA\r\n{S}\r\nPrivate-MAC: {S}\r\n"
STATEMENTS = [
    PUTTY, repr(PUTTY), repr(PUTTY.replace("\r", "")), repr(repr(PUTTY)), f"Private-MAC: {S}",
    f"db.example.com:6432:shop:ana:{S}", f"*:*:*:ana:{S}", f"# all\r\nh:5433:*:ana:{S}\r\n",
    f"CONFIG SET requirepass {S}", f"masterauth {S}", f"ACL SETUSER ana on >{S} ~*", f"HELLO 3 AUTH ana {S}",
    f"a1 LOGIN ana {S}", f"PRIVMSG NickServ :IDENTIFY {S}", f"username admin password 7 {S}", f"enable secret 5 {S}",
    f"snmp-server community {S} RO", f"ana:{S}@tcp(127.0.0.1:3306)/shop", f"jdbc:oracle:thin:ana/{S}@h:1521:x",
    f"ftp ana:{S}@h:21", f"db.example.com:5432:shop:ana:{S}", "your verification code is 482913", f"OTP is {S}",
    f"GET /reset/{S}{S} HTTP/1.1", f"GET /x?ticket={S}&page=2", f"GET /x?SAMLResponse={S}",
    f"PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 1\n{S}\nPrivate-MAC: {S}",
    f"<RSAKeyValue><Modulus>abc</Modulus><D>{S}</D></RSAKeyValue>", f"SELECT AES_ENCRYPT(x, '{S}')",
    f"SELECT crypt('{S}', gen_salt('bf'))", f"Sec-WebSocket-Protocol: bearer, {S}", f"pin_code={S}", f"pw {S}",
    f"wallet_seed={S}", f"unlock_code={S}", f"SplitResult(scheme='https', netloc='ana:{S}@h', path='/x')",
]  # fmt: skip
HARMLESS = [
    "the secret_santa_of_this_year_and_next", "merged pul-request-from-some-branch-of-ana", "glc_configuration_reader",
    "key-value-store-with-many-entries", "the xai-explainable-models-and-others", "a LTAIrport of 2026",
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t", "curl -b cookies.txt x", "zip -r x.zip y", "7z x a.7z", "net use",
    "az vm list -p 4", "docker run -p 8080:80 web1", "mosquitto_sub -t topic -p 1883", "sqlplus /nolog",
    "ssh-keygen -t ed25519 -f x", "keytool -list", "vault login failed", "openssl x509 -in a.pem",
    "LOGIN failed for ana", "secret 3 times", "echo hello | grep h", "connect to ana@db1:5432 failed",
    "fil@127.0.0.1:9000 answered", "module:function", "tests/x.py:12:5:E501:line too long", "12:30:45:678:901",
    "12:30:45:shop:till", "till.py:12:5:E501:long", "00:11:22:33:44:ab", "2001:1234:5678:9012:3456:789a:0:1",
    "Private-MAC: none", "Private-Lines: many", "['az', 'vm', 'list', '-p', '4']", "['net', 'user', 'ana', '/user:x']",
    "['vault', 'login', 'failed']", "['rabbitmqctl', 'list_users']", "['htpasswd', '-D', 'file', 'ana']",
    "['sqlplus', '/nolog']", "['bcp', 't', 'out', 'f', '-T']", "login, please",
    "verification code: sent to ana", "GET /reset/confirm HTTP/1.1", "GET /verify/order4711", "<D>4711</D>",
    "encrypt(data)", "HELLO 3 AUTH is wrong", "use(x, 'a')", "snmpget -v3 -l authPriv -u ana host",
]  # fmt: skip


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("place", ["use {}, please", "x={}", "{}"])
def test_a_token_with_the_beginning_of_an_issuer_is_left_out(place: str, token: str) -> None:
    redacted = redact(place.format(token))
    assert token[-8:] not in redacted
    assert redact(redacted) == redacted


LISTS = [
    *(str(subprocess.CalledProcessError(1, arguments)) for arguments in ARGUMENTS),
    *(json.dumps(arguments, separators=(",", ":")) for arguments in ARGUMENTS),
]


@pytest.mark.parametrize("text", [*COMMANDS, *LISTS, *STATEMENTS])
def test_a_secret_that_its_place_gives_away_is_left_out(text: str) -> None:
    redacted = redact(text)
    assert S not in redacted
    assert REDACTED in redacted
    assert redact(redacted) == redacted


@pytest.mark.parametrize("text", HARMLESS)
def test_a_text_that_only_looks_similar_stays_as_it_is(text: str) -> None:
    assert redact(text) == text
