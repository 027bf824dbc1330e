import pytest
from meetkai_mka1.errors import SDKError
from support_bot.desk import SupportDesk
from support_bot.export import transcript

DAY = 86_400


def test_a_ticket_creates_a_conversation(mka1, desk):
    desk.open_ticket("1207", "My weather station is silent.", channel="mail")

    mka1.requests.assert_called(
        "conversations.create", times=1, body={"metadata": {"number": "1207", "channel": "mail"}}
    )


def test_a_rate_limited_answer_is_retried(mka1, desk):
    ticket = desk.open_ticket("1207", "My weather station is silent.")
    mka1.faults.rate_limited("conversations.items.create", times=2, retry_after_ms=10)

    desk.answer(ticket, "A spare part is on its way.")

    mka1.requests.assert_called("conversations.items.create", times=3)


def test_a_lost_response_does_not_open_the_ticket_twice(mka1, desk):
    mka1.faults.server_error("conversations.create", status=502, commit=True)

    ticket = desk.open_ticket("1207", "My weather station is silent.")

    assert desk.find(number="1207") == [ticket]


def test_a_server_error_opens_no_ticket(mka1, desk):
    mka1.faults.server_error("conversations.create")

    with pytest.raises(SDKError, match="Status 500"):
        desk.open_ticket("1207", "My weather station is silent.")


@pytest.mark.mka1(seed="support-thread")
def test_a_ticket_is_found_by_its_words(desk):
    assert desk.find("weather station", channel="support") == ["conv_support"]
    assert desk.find("weather balloon") == []


@pytest.mark.mka1(seed="thread.yaml")
def test_a_transcript_includes_all_pages(mka1):
    assert transcript("conv_lamp") == "user: It flickers.\nassistant: Since when?\nuser: Since Monday."
    mka1.requests.assert_called("conversations.items.list", times=2)


def test_a_ticket_is_overdue_after_three_days(mka1, desk):
    ticket = desk.open_ticket("1207", "My weather station is silent.")
    assert not desk.is_overdue(ticket, mka1.clock.now())

    mka1.clock.advance(4 * DAY)

    assert desk.is_overdue(ticket, mka1.clock.now())


def test_customers_do_not_see_each_other(mka1):
    SupportDesk("ada").open_ticket("1", "It rains in.")

    assert SupportDesk("grace").find() == []
    assert mka1.requests.last.end_user == "grace"


@pytest.mark.mka1(strict=False)
def test_a_ticket_number_has_a_maximum_length(mka1, desk):
    with pytest.raises(SDKError, match=r"metadata\.number"):
        desk.open_ticket("12" * 1000, "The number is too long.")
