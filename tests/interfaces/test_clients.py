"""`mpi init`, `client`, `keys` and `token`, and where `mpi serve` refuses to show itself."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from mpi.cli import main
from mpi.cli.server import check_exposure
from mpi.clock import SystemClock
from mpi.errors import InvalidSettings
from mpi.logs import person_reference
from mpi.services.log_key import LOG_KEY_FILE, read_log_key
from mpi.services.signing_keys import KEYS_FILE, create_keys, open_keys
from mpi.services.tokens import LOCAL_ISSUER, Tokens
from mpi.settings import Settings
from tests.small_region import person_id


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a command in an empty folder: status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MPI_DATABASE_URL", raising=False)

    def run_words(*words):
        status = main.exit_status(words)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run_words


def jwks(folder: Path) -> str:
    key = ECKey.generate_key("P-256", {"kid": "k1"}, private=True)
    path = folder / "keys.json"
    path.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    return str(path)


def test_an_installation_is_made_once(run, tmp_path):
    assert run("init")[0] == 0
    folder = tmp_path / "mpi.sqlite3.keys"
    kept = (folder / KEYS_FILE).read_text()
    assert ((folder / KEYS_FILE).stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (
        0o600,
        0o700,
    )
    assert run("init")[0] == 0
    assert (folder / KEYS_FILE).read_text() == kept


def test_real_keys_take_the_place_of_a_demonstration_s(run, tmp_path):
    folder = tmp_path / "mpi.sqlite3.keys"
    assert create_keys(folder, is_demo=True)
    assert run("init")[0] == 0
    assert not open_keys(folder).current().is_demo
    assert not create_keys(folder, is_demo=True)


def test_a_printed_token_is_sound_and_its_client_can_be_disabled(run, tmp_path):
    run("init")
    status, token, _ = run("token", "--role", "view", "--organisation", "RBD")
    assert status == 0
    tokens = Tokens(open_keys(tmp_path / "mpi.sqlite3.keys"), LOCAL_ISSUER)
    said = tokens.verify_token(token.strip(), now=SystemClock().now())
    assert (said.client_id, said.roles) == ("local-view-RBD", {"view"})
    assert run("client", "disable", "local-view-RBD")[0] == 0
    assert run("token", "--role", "view", "--organisation", "RBD")[0] == 2
    assert run("client", "enable", "local-view-RBD")[0] == 0
    assert run("token", "--role", "view", "--organisation", "RBD")[0] == 0


def test_a_client_is_registered_and_listed_with_its_keys(run, tmp_path):
    run("init")
    words = ["--role", "integration", "--role", "view", "--organisation", "RBD", "--source", "ed"]
    added = run("client", "add", "engine", *words, "--jwks", jwks(tmp_path))
    assert added[0] == 0
    listed = json.loads(run("client", "list", "--json")[1])
    assert listed == [
        {
            "client": "engine",
            "organisation": "RBD",
            "roles": ["integration", "view"],
            "sources": ["ed"],
            "key_ids": ["k1"],
            "state": "active",
        }
    ]
    assert "engine" in run("client", "list")[1]
    assert run("client", "add", "engine", *words, "--jwks", jwks(tmp_path))[0] == 4


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["client", "add", "a b", "--role", "view", "--organisation", "RBD"], 2),
        (["client", "add", "a", "--role", "view", "--organisation", "r b d"], 2),
        (["client", "add", "a", "--role", "king", "--organisation", "RBD"], 2),
        (
            ["client", "add", "a", "--role", "auditor", "--role", "view", "--organisation", "RBD"],
            2,
        ),
        (["client", "disable", "nobody"], 3),
        (["token", "--role", "view", "--organisation", "x y"], 2),
        (["token", "--role", "view", "--organisation", "RBD", "--minutes", "100000"], 2),
    ],
    ids=str,
)
def test_what_breaks_a_rule_is_refused_in_one_sentence(run, tmp_path, words, status):
    run("init")
    more = ["--jwks", jwks(tmp_path)] if words[:2] == ["client", "add"] else []
    ended, out, err = run(*words, *more)
    assert (ended, out, err.count("\n")) == (status, "", 1)


def test_a_client_s_keys_are_exchanged(run, tmp_path):
    run("init")
    given = ["--role", "view", "--organisation", "RBD", "--jwks", jwks(tmp_path)]
    assert run("client", "add", "portal", *given)[0] == 0
    key = ECKey.generate_key("P-384", {"kid": "k2"}, private=True)
    new = tmp_path / "new.json"
    new.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    assert run("client", "keys", "portal", "--jwks", str(new))[0] == 0
    (told,) = json.loads(run("client", "list", "--json")[1])
    assert (told["key_ids"], told["roles"]) == (["k2"], ["view"])
    assert run("client", "keys", "nobody", "--jwks", str(new))[0] == 3


def test_without_keys_there_is_no_token(run, tmp_path):
    run("store", "init")
    status, _, err = run("token", "--role", "view", "--organisation", "RBD")
    assert (status, "mpi init" in err) == (2, True)


def test_keys_that_others_may_read_are_not_used(run, tmp_path):
    run("init")
    (tmp_path / "mpi.sqlite3.keys" / KEYS_FILE).chmod(0o644)
    assert "owner alone" in run("token", "--role", "view", "--organisation", "RBD")[2]


def test_an_auditor_learns_what_the_log_calls_a_person(run, tmp_path):
    run("init")
    person, keys = str(person_id(1)), tmp_path / "mpi.sqlite3.keys"
    status, told, _ = run("audit", "reference", person, "--month", "2026-11")
    expected = person_reference(person, month="2026-11", secret=read_log_key(keys))
    assert (status, told.strip()) == (0, expected)
    trail = json.loads(run("audit", "verify", "--json")[1])
    assert trail["events"] == 1
    assert run("audit", "reference", person, "--month", "2026-13")[0] == 2
    assert run("keys", "replace-log-key")[0] == 0
    assert run("audit", "reference", person, "--month", "2026-11")[1].strip() != expected
    assert (keys / LOG_KEY_FILE).stat().st_mode & 0o777 == 0o600


TLS = {"tls_certificate": Path("c.pem"), "tls_key": Path("k.pem")}
PUBLIC = {"public_url": "https://mpi.example"}


@pytest.mark.parametrize(
    ("host", "workers", "settings", "words"),
    [
        ("0.0.0.0", 1, {}, "tls_certificate"),
        ("::", 1, PUBLIC, "tls_certificate"),
        ("mpi.example", 1, PUBLIC, "tls_certificate"),
        ("10.0.0.7", 1, TLS, "public_url"),
        ("10.0.0.7", 1, TLS | {"public_url": "http://mpi.example"}, "public_url"),
        ("127.0.0.1", 2, {}, "workers"),
    ],
)
def test_a_server_does_not_show_more_than_it_protects(host, workers, settings, words):
    with pytest.raises(InvalidSettings, match=words):
        check_exposure(Settings(**settings), host, workers=workers)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_this_machine_alone_needs_neither_tls_nor_a_proxy(host):
    check_exposure(Settings(), host, workers=1)


@pytest.mark.parametrize("protection", [TLS, {"trusted_proxies": "10.0.0.1"}])
def test_beyond_it_one_of_the_two_is_enough(protection):
    check_exposure(Settings(**PUBLIC, **protection), "0.0.0.0", workers=1)


def test_a_server_does_not_say_that_it_serves_where_another_listens(run):
    with socket.create_server(("127.0.0.1", 0)) as other:
        status, out, err = run("serve", "--port", str(other.getsockname()[1]))
    assert (status, out) == (6, "")
    assert err.strip() == "mpi: host, port: the server cannot listen there: address already in use"


def test_demonstration_keys_do_not_leave_this_machine(run, tmp_path, installation, monkeypatch):
    monkeypatch.setenv("MPI_DATABASE_URL", installation["MPI_DATABASE_URL"])
    monkeypatch.setenv("MPI_RELEASE_FOLDER", installation["MPI_RELEASE_FOLDER"])
    monkeypatch.setenv("MPI_KEYS_FOLDER", str(tmp_path / "demo"))
    monkeypatch.setenv("MPI_TRUSTED_PROXIES", "10.0.0.1")
    monkeypatch.setenv("MPI_PUBLIC_URL", "https://mpi.example")
    create_keys(tmp_path / "demo", is_demo=True)
    status, _, err = run("serve", "--host", "0.0.0.0")
    assert (status, "demonstration" in err) == (2, True)
