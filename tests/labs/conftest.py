import pytest

from trialsite.protocol import Protocol, load, study_path


@pytest.fixture(scope="session")
def study() -> Protocol:
    return load(study_path("nct06904755"))
