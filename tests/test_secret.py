"""The key file: made once, private, outside the log, and never mistaken for another."""

from pathlib import Path

import pytest

from connectors.errors import SecretError
from connectors.secret import Secret, load_secret


def test_created_once_private_and_read_again(tmp_path: Path) -> None:
    path, said = tmp_path / "keys" / "vigie.key", list[str]()
    first = load_secret(path, log_folder=tmp_path / "log", on_created=said.append)
    again = load_secret(path, log_folder=tmp_path / "log", on_created=said.append)
    assert len(said) == 1
    assert str(path) in said[0]
    assert path.stat().st_mode & 0o777 == 0o600
    content = path.read_text().strip()
    assert len(bytes.fromhex(content)) == 32
    assert first.key("pseudonym") == again.key("pseudonym")
    assert content not in said[0]
    assert content not in repr(first)
    assert [p.name for p in path.parent.iterdir()] == ["vigie.key"]


def test_two_logs_get_two_keys(tmp_path: Path) -> None:
    one, two = (load_secret(tmp_path / name, log_folder=tmp_path / "log") for name in ("a", "b"))
    assert one.fingerprint != two.fingerprint


@pytest.mark.parametrize("place", ["log/vigie.key", "log/deep/vigie.key", "other/../log/vigie.key"])
def test_refused_inside_the_log(tmp_path: Path, place: str) -> None:
    with pytest.raises(SecretError, match="inside the log folder"):
        load_secret(tmp_path / place, log_folder=tmp_path / "log")
    assert not (tmp_path / "log").exists()


def test_a_log_elsewhere_is_no_folder(tmp_path: Path) -> None:
    load_secret(tmp_path / "vigie.key", log_folder="s3://bucket/log")


@pytest.mark.parametrize("content", ["", "abc", "zz" * 32, "00" * 31, "é" * 32])
def test_a_damaged_file_is_told_without_its_content(tmp_path: Path, content: str) -> None:
    path = tmp_path / "vigie.key"
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(SecretError, match="64 hexadecimal") as raised:
        load_secret(path, log_folder=tmp_path / "log")
    assert not content or content not in str(raised.value)


def test_a_file_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vigie.key"
    path.write_text("00" * 32)
    path.chmod(0o644)
    with pytest.raises(SecretError, match=r"0644.*chmod 600"):
        load_secret(path, log_folder=tmp_path / "log")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SecretError, match="cannot be created"):
        load_secret(tmp_path / "file" / "vigie.key", log_folder=tmp_path / "log")


def test_uses_and_keys_are_apart() -> None:
    secret, other = Secret(bytes(32)), Secret(bytes(31) + b"\1")
    keys = {secret.key("pseudonym"), secret.key("event-id"), secret.key("quarantine"), other.key("pseudonym")}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}


def test_another_key_is_refused_by_its_fingerprint() -> None:
    secret = Secret(bytes(32))
    secret.check_fingerprint(None, where="the log")
    secret.check_fingerprint(secret.fingerprint, where="the log")
    with pytest.raises(SecretError, match="the log was written with another secret key"):
        secret.check_fingerprint("0" * 16, where="the log")
