"""That mutation_check.py follows the code; whether each mutant turns red is for people to run."""

from pathlib import Path

import pytest

from mutation_check import MUTATIONS, REPOSITORY, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_code_that_a_mutation_changes_is_found_once(mutation: Mutation) -> None:
    package = REPOSITORY / "pipelines" / "cekura_sync"

    assert [(package / name).read_text(encoding="utf-8").count(text) for name, text, _ in mutation.edits] == [
        1
    ] * len(mutation.edits)
    for file, _, test in (test.partition("::") for test in mutation.tests):
        assert f"def {test}" in Path(REPOSITORY, file).read_text(encoding="utf-8")
