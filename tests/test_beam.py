"""pipelines.beam: where the state of its steps is held; that it finds the same is in `test_engines`."""

import pytest

from pipelines.beam import BeamEngine


@pytest.mark.parametrize(
    ("options", "in_process"),
    [
        ([], True),
        (["--runner=DirectRunner"], True),
        (["--direct_running_mode=multi_processing"], False),
        (["--runner=FlinkRunner"], False),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_state_is_in_memory_where_all_workers_are_in_this_process(
    options: list[str], in_process: bool, workers: int
) -> None:
    assert BeamEngine(workers=workers, options=options).in_process is in_process
