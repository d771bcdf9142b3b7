"""``config``: the sample, the check and the configuration in force (spec images 2, 7.9)."""

from __future__ import annotations

import os
from pathlib import Path

import click

from app.cli import forms
from app.cli.connect import read_settings
from app.cli.effective import as_file, effective
from app.cli.failures import EXIT_CONFIGURATION, EXIT_OK
from app.cli.lazy import Entry, LazyGroup
from app.cli.options import Common, config_options, image_options
from app.cli.output import Output
from app.errors import UsageError
from app.sync.images.conf import check as check_configuration
from app.sync.images.conf import sample
from app.sync.images.conf.findings import Finding
from app.sync.status import Level

_HERE = "app.cli.commands.config"
ENTRIES = {
    "sample": Entry(f"{_HERE}:print_sample", "Print every option with its explanation."),
    "check": Entry(f"{_HERE}:check", "Find everything that is wrong with a configuration."),
    "show": Entry(f"{_HERE}:show", "Print the configuration in force, without secrets."),
}


@click.group(cls=LazyGroup, entries=ENTRIES, short_help="Explain, check or show the configuration.")
def config() -> None:
    """Explain, check or show the configuration."""


@click.command("sample", short_help="Print every option with its explanation.")
def print_sample() -> int:
    """Print a configuration with every option, its default and its explanation."""
    Output().document(sample())
    return EXIT_OK


def _finding_form(finding: Finding) -> forms.Form:
    return {
        "origin": finding.origin,
        "line": finding.line,
        "section": finding.section,
        "option": finding.option,
        "severity": finding.severity.value,
        "message": finding.message,
        "remedy": finding.remedy,
    }


@click.command(short_help="Find everything that is wrong with a configuration.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@config_options
def check(file: Path | None, config_file: Path | None, overrides: tuple[str, ...], as_json: bool) -> int:
    """Find everything that is wrong with a configuration.

    Without FILE the configuration is looked for in the usual places. Ends with 1 if there is an
    error; warnings alone are no failure.
    """
    if file and config_file:
        raise UsageError("name the configuration once: as FILE or with --config-file")
    findings = check_configuration(file or config_file, overrides, os.environ)
    output = Output()
    if as_json:
        output.document(forms.document("config check", findings=[*map(_finding_form, findings)]))
    for finding in () if as_json else findings:
        output.line(f"{finding.severity}:{finding}")
    wrong = any(finding.severity is Level.ERROR for finding in findings)
    return EXIT_CONFIGURATION if wrong else EXIT_OK


@click.command(short_help="Print the configuration in force, without secrets.")
@image_options
def show(common: Common) -> int:
    """Print the configuration in force: file, environment, overrides and defaults together.

    Secrets are masked. The result is itself a configuration file, but for the secrets.
    """
    output = Output()
    settings = read_settings(common, output)
    sections = effective(settings)
    if common.as_json:
        output.document(forms.document("config show", source=settings.source, sections=sections))
    else:
        output.document(f"# Source: {settings.source}\n{as_file(sections)}")
    return EXIT_OK
