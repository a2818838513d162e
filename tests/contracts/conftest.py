"""The small study, made once for all contracts of figures."""

import pytest

from tests.contracts.drawn import make_study


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"))
