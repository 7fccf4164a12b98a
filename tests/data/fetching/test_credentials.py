"""No token, password or user name leaves this machine, whichever way it is at hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.hostile_server import HostileServer, Misdeed

from asdlib.data.fetching.http import fetch, fetch_json
from asdlib.data.fetching.hub import ask_hub
from asdlib.data.fetching.retry import Retry
from asdlib.errors import AsdError

SECRET = "hf_secret"
BODY = b"weights" * 100


@pytest.fixture
def other(server: HostileServer) -> Iterator[HostileServer]:
    """Start a second host, and redirect `/f` of the first one to it."""
    with HostileServer() as running:
        running.files["/f"] = running.files["/there"] = BODY
        server.files["/f"] = BODY
        server.headers["/f"] = {"Location": running.base + "/there", "Set-Cookie": f"session={SECRET}"}
        server.misdeeds["/f"] = [Misdeed(status=302, headers=server.headers["/f"]) for _ in range(9)]
        yield running


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Put a secret everywhere where a program may look for one."""
    home = tmp_path / "home"
    (home / ".cache/huggingface").mkdir(parents=True)
    (home / ".cache/huggingface/token").write_text(SECRET)
    netrc = home / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login me password {SECRET}\ndefault login me password {SECRET}\n")
    netrc.chmod(0o600)
    for name, value in {"HOME": home, "NETRC": netrc, "HF_HOME": home / ".cache/huggingface"}.items():
        monkeypatch.setenv(name, str(value))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN", "GITHUB_TOKEN", "ZENODO_TOKEN"):
        monkeypatch.setenv(name, SECRET)


def names_sent(*servers: HostileServer) -> set[str]:
    return {name.lower() for server in servers for headers in server.received for name in headers}


HARMLESS = {"host", "user-agent", "accept-encoding", "connection", "range", "if-range"}


@pytest.mark.usefixtures("secrets")
def test_nothing_but_the_request_is_sent_also_after_a_redirect(server, other, retry, tmp_path):
    fetch(server.base + "/f", tmp_path / "f", retry=retry)
    assert (tmp_path / "f").read_bytes() == BODY
    server.files["/json"] = b"{}"
    fetch_json(server.base + "/json", retry=retry)
    assert len(server.received) == 2
    assert len(other.received) == 1
    assert names_sent(server, other) <= HARMLESS


@pytest.mark.usefixtures("secrets")
def test_the_hub_is_asked_without_a_token(server, other, retry):
    server.files["/team/net/resolve/main/f"] = BODY
    server.headers["/team/net/resolve/main/f"] = {"Location": "/f", "X-Repo-Commit": "a" * 40}
    server.headers["/f"] |= {"X-Linked-Size": "700", "X-Repo-Commit": "b" * 40}
    found = ask_hub(server.base, "team/net", "main", "f", retry=retry)
    assert (found.size, found.commit) == (700, "b" * 40), "followed on the hub, not to the other host"
    assert len(server.received) == 2
    assert not other.received
    assert names_sent(server) <= HARMLESS


def test_the_length_of_a_redirect_is_not_that_of_the_file(server, other, retry):
    server.files["/team/net/resolve/main/f"] = BODY
    assert ask_hub(server.base, "team/net", "main", "f", retry=retry).size == len(BODY)
    server.headers["/team/net/resolve/main/f"] = {"Location": other.base + "/there"}
    found = ask_hub(server.base, "team/net", "main", "f", retry=retry)
    assert (found.size, found.commit, found.sha256) == (None, None, None)


def test_the_password_of_a_proxy_is_for_the_proxy_alone(server, other, retry, tmp_path, monkeypatch):
    """The first host is behind a proxy, the second one is not."""
    monkeypatch.setenv("http_proxy", server.base.replace("//", f"//me:{SECRET}@"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.misdeeds["http://zenodo.test/f"] = [Misdeed(status=302, headers={"Location": other.base + "/f"})]
    server.files["http://zenodo.test/f"] = b""
    fetch("http://zenodo.test/f", tmp_path / "f", retry=retry)
    assert "proxy-authorization" in names_sent(server)
    assert len(other.received) == 1
    assert names_sent(other) <= HARMLESS


@pytest.mark.parametrize("user", [f"me:{SECRET}@", f"{SECRET}@", f":{SECRET}@", "@"])
def test_an_address_with_a_user_name_is_refused_and_not_repeated(server, tmp_path, user):
    with pytest.raises(
        AsdError, match=r"^http://127\.0\.0\.1: the address has a user name or password, .*: remove it"
    ) as caught:
        fetch(server.base.replace("//", f"//{user}") + "/f", tmp_path / "f", retry=Retry(attempts=1))
    assert SECRET not in str(caught.value)
    assert not server.received
    assert not list(tmp_path.iterdir())
