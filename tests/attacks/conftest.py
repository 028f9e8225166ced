"""One zygote for all attacks: what one of them leaves behind would show in the next."""

import pytest

from autograd_check.run.zygote import Zygote


@pytest.fixture(scope="session")
def zygote():
    with Zygote() as zygote:
        yield zygote
