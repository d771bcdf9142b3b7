"""The acceptance list of the original, numbers 8 to 122, against real services (spec section 12)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.lab.acceptance import (
    cases_cli,
    cases_conflicts,
    cases_lifecycle,
    cases_machines,
    cases_metadata,
    cases_selection,
)
from tests.lab.acceptance.steps import Case
from tests.lab.acceptance.world import World
from tests.lab.lab import Lab

MODULES = (cases_cli, cases_metadata, cases_machines, cases_conflicts, cases_selection, cases_lifecycle)
CASES: tuple[Case, ...] = tuple(case for module in MODULES for case in module.CASES)
DISABLED_UPSTREAM = frozenset({31, 46, 47, 48, 57, 67, 116})
FIRST, LAST = 8, 122


@pytest.mark.lab
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_acceptance(case: Case, cloud: Lab, tmp_path: Path) -> None:
    """Users of the original find every behaviour that its acceptance suite fixed."""
    world = World(cloud, tmp_path)
    for number, step in enumerate(case.steps):
        try:
            step.perform(world)
        except AssertionError as error:
            error.add_note(f"case {case.id} ({case.title}), step {number}: {step}")
            raise


def test_no_number_is_missing_and_no_variant_runs_twice() -> None:
    """Every number of the list that is not disabled upstream is covered, each variant once."""
    assert {case.number for case in CASES} == set(range(FIRST, LAST + 1)) - DISABLED_UPSTREAM
    assert [name for name, count in Counter(case.id for case in CASES).items() if count > 1] == []
