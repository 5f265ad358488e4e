"""Each detector on texts that hold its value, on look-alikes that do not, and on texts with nothing to find."""

from __future__ import annotations

import pytest

from finelake.privacy.detect import Detector
from finelake.privacy.kinds import KINDS, Finding, without_overlaps

REGIONS = ("US", "GB", "DE", "JP")
DETECTOR = Detector(dict.fromkeys(KINDS, "redact"), REGIONS)
TOKEN = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"


def found(text: str) -> list[tuple[str, str]]:
    return [(item.kind, text[item.start : item.end]) for item in DETECTOR.find(text)]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("email", "Write to grace.hartley+shop@mail.example.co.uk.", "grace.hartley+shop@mail.example.co.uk"),
        ("email", "メールはhanako@example.jpです", "hanako@example.jp"),
        ("phone", "Call me on (415) 555-2671.", "(415) 555-2671"),
        ("phone", "I am at +44 20 7946 0958 today", "+44 20 7946 0958"),
        ("phone", "Rückruf bitte an 0151 23456789.", "0151 23456789"),
        ("phone", "電話番号は03-3123-4567です", "03-3123-4567"),
        ("card", "It is 4111 1111 1111 1111, valid until 09/27.", "4111 1111 1111 1111"),
        ("card", "Charge 378282246310005 please", "378282246310005"),
        ("iban", "Send it to DE89 3704 0044 0532 0130 00 and confirm", "DE89 3704 0044 0532 0130 00"),
        ("iban", "GB29NWBK60161331926819", "GB29NWBK60161331926819"),
        ("national_id", "My SSN is 536-90-4399.", "536-90-4399"),
        ("national_id", "Meine Steuer-ID: 36574261809.", "36574261809"),
        ("national_id", "NI number AB 12 34 56 C, please", "AB 12 34 56 C"),
        ("national_id", "Mi DNI es 54362315K.", "54362315K"),
        ("national_id", "Le numéro est 2 95 10 99 126 111 93.", "2 95 10 99 126 111 93"),
        ("national_id", "Codice fiscale RCCMNL83S18D969H", "RCCMNL83S18D969H"),
        ("national_id", "Mijn BSN is 111222333", "111222333"),
        ("national_id", "マイナンバーは6214 9832 0257です", "6214 9832 0257"),
        ("ip", "Our server 203.0.113.77 is down", "203.0.113.77"),
        ("ip", "My IP address is 1.2.3.4.", "1.2.3.4"),
        ("ip", "from 2001:db8:85a3::8a2e:370:7334 again", "2001:db8:85a3::8a2e:370:7334"),
        ("address", "Please deliver to 221B Baker Street.", "221B Baker Street"),
        ("address", "Ich wohne Schillerstraße 12a.", "Schillerstraße 12a"),
        ("address", "東京都新宿区西新宿2丁目8番1号です", "東京都新宿区西新宿2丁目8番1号"),
        ("url_credential", "https://bob:s3cretpass@example.com/feed", "bob:s3cretpass"),
        ("url_credential", "see https://example.com/a?page=2&access_token=abcdef123456.", "abcdef123456"),
        ("secret", f"my token is {TOKEN}, why 401?", TOKEN),
        ("secret", "Server=db;Database=shop;User Id=app;Password=Xk29!kk;", "Xk29!kk"),
        ("secret", "Authorization: Bearer abcdefghij0123456789xyz", "abcdefghij0123456789xyz"),
    ],
)
def test_a_value_is_found_in_its_place_and_nothing_else(kind: str, text: str, value: str) -> None:
    assert found(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Thanks, that is all I needed.",
        "Order 4155552671 from 12/03/2024 costs £1,299.00.",
        "It is 4111 1111 1111 1112, one digit wrong.",
        "DE89 3704 0044 0532 0130 01 has a wrong checksum.",
        "GB00NWBK60161331926819",
        "My SSN is 666-12-3456, which nobody has.",
        "Meine Steuer-ID: 36574261808.",
        "Mi DNI es 54362315X.",
        "Mijn BSN is 111222334",
        "Order 36574261809 and parcel 111222333.",
        "NI number BG 12 34 56 C",
        "Version 10.20.30.40 of the app, section 4.3.2.1",
        "127.0.0.1 and 0.0.0.0 and 256.300.1.1",
        "We open at 10:30:15 and std::vector is a type",
        "lib@1.2.3, @larkwheel, logo@2x.png, git@github.com:org/shop.git",
        "https://example.com/orders/4155552671?page=2&sort=date",
        "ISBN 978-3-16-148410-0, invoice #2024-000123",
        "2019-2024, 2024-03-15 10:30, 15.03.2024",
        "I lived in Baker Street for 12 years.",
        "Treffpunkt Bahnhofsplatz 18 Uhr",
        "注文番号は4155552671、価格は12,800円です",
        "What is an api_key? I forgot my password.",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "-----BEGIN RSA PRIVATE KEY----- is how it starts",
        "I saw [EMAIL_1] and [PHONE_2] there",
    ],
)
def test_look_alikes_are_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_private_key_is_found_as_a_whole() -> None:
    body = "\n".join(["MIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn"] * 3)
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"
    assert found(f"this one:\n{key}\nis it safe?") == [("secret", key)]


def test_the_signature_of_a_token_belongs_to_it() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "c2lnbmF0dXJl" * 3
    assert found(f"token {token}.") == [("secret", token)]


def test_the_words_before_a_number_decide() -> None:
    assert found("My phone number is 4155552671") == [("phone", "4155552671")]
    assert found("My order number is 4155552671") == []
    assert found("Call about order 4155552671") == []


def test_an_ignored_kind_is_not_found_and_hides_no_other() -> None:
    detector = Detector({**dict.fromkeys(KINDS, "redact"), "phone": "ignore"}, REGIONS)
    text = "Call (415) 555-2671 or write to a@example.com"
    assert [item.kind for item in detector.find(text)] == ["email"]


@pytest.mark.parametrize("allowed", ["help@larkwheel.example", "@larkwheel.example", "+14155552671"])
def test_what_is_allowed_is_no_finding(allowed: str) -> None:
    detector = Detector(dict.fromkeys(KINDS, "redact"), REGIONS, frozenset({allowed}))
    text = "Write to Help@larkwheel.example or call (415) 555-2671."
    kinds = [item.kind for item in detector.find(text)]
    assert kinds == (["email"] if allowed.startswith("+") else ["phone"])


def test_a_region_that_is_not_named_has_no_numbers_of_its_own() -> None:
    abroad = Detector(dict.fromkeys(KINDS, "redact"), ("JP",))
    assert abroad.find("Call me on (415) 555-2671.") == []
    assert [item.kind for item in abroad.find("Call me on +1 415 555 2671.")] == ["phone"]


def test_overlapping_findings_keep_the_first_kind_and_the_longer_value() -> None:
    phone, card = Finding(0, 12, "phone", "a"), Finding(0, 19, "card", "b")
    short = Finding(30, 34, "phone", "c")
    longer = Finding(28, 36, "phone", "d")
    assert without_overlaps([phone, short, card, longer]) == [card, longer]


def test_a_finding_does_not_show_its_value() -> None:
    (item,) = DETECTOR.find("write to grace@example.com")
    assert item.value == "grace@example.com"
    assert "grace" not in repr(item)


def test_a_long_run_of_one_character_takes_no_detour() -> None:
    for character in ("a", "1", "@", ":", "A", ".", "-", "1 ", "a@", "1.", "東"):
        assert found(character * 20_000) == []
