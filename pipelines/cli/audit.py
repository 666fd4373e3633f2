"""`vigie audit`: whether the record is whole."""

import typer

from connectors.errors import LogError
from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import complain, plural, print_json


def verify_audit(settings: SettingsFile = DEFAULT_SETTINGS, as_json: AsJson = False) -> None:
    """Check that nobody touched the record.

    Nothing is changed. The exit code is 4 if anything is wrong with the log.
    """
    log = open_workspace(settings).open_log()
    findings = list(log.verify())
    if as_json:
        print_json({"faults": [{"file": finding.file, "problem": finding.problem} for finding in findings]})
    for finding in findings:
        complain(str(finding))
    if findings:
        raise typer.Exit(LogError.exit_code)
    if not as_json:
        records = plural(sum(1 for _ in log.manifests()), "record")
        typer.echo(f"{log.location}: whole: {records}, {plural(log.rows, 'event')}")
