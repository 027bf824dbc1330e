import pytest
from support_bot.desk import SupportDesk


@pytest.fixture
def desk(mka1):
    return SupportDesk(customer=mka1.end_user)
