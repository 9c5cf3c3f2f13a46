"""A golden file: the recorded requests to the running service, every answer as recorded."""

import pytest


@pytest.mark.parametrize("case", range(0, 300, 5))
def test_answer(case, golden, service):
    request, expected = golden[case]
    answer = service.post("/predict", json=request)
    assert answer.status_code == 200
    answer = answer.json()
    assert set(answer) == set(expected)
    assert answer == {k: pytest.approx(v) if isinstance(v, float) else v for k, v in expected.items()}
