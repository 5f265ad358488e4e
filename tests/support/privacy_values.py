"""Made-up values of every kind for the labelled set, with checksums where their kind has one."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from stdnum import luhn
from stdnum.de import idnr
from stdnum.es import dni
from stdnum.it import codicefiscale
from stdnum.jp import in_
from stdnum.nl import bsn


def digits(rng: random.Random, count: int) -> str:
    """Give digits of which the first is not 0."""
    return str(rng.randint(1, 9)) + "".join(rng.choices(string.digits, k=count - 1))


def letters(rng: random.Random, count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """Give random characters of an alphabet."""
    return "".join(rng.choices(alphabet, k=count))


def email(rng: random.Random, language: str) -> str:
    first, last = rng.choice([("grace", "hartley"), ("j", "weiss"), ("hanako", "sato"), ("ole.k", "petersen")])
    local = rng.choice([f"{first}.{last}", f"{first}_{last}{rng.randint(1, 99)}", f"{first}+shop", f"{last}-{first}"])
    ending = {"en": "co.uk", "de": "de", "ja": "co.jp"}[language]
    return (
        f"{local}@{rng.choice(['example', 'mail.example', 'post-haus', 'nifty'])}.{rng.choice([ending, 'com', 'org'])}"
    )


def phone(rng: random.Random, language: str) -> str:
    area = rng.choice(["212", "415", "312", "617", "206"])
    numbers = {
        "en": [
            f"({area}) 5{digits(rng, 2)}-{digits(rng, 4)}",
            f"{area}-5{digits(rng, 2)}-{digits(rng, 4)}",
            f"+1 {area} 5{digits(rng, 2)} {digits(rng, 4)}",
            f"020 7{digits(rng, 3)} {digits(rng, 4)}",
            f"+44 7911 1{digits(rng, 5)}",
            f"07{rng.choice(['400', '911', '984'])} {digits(rng, 6)}",
        ],
        "de": [
            f"030 {digits(rng, 7)}",
            f"0151 {digits(rng, 8)}",
            f"+49 171 {digits(rng, 7)}",
            f"089/{digits(rng, 8)}",
            f"0049 40 {digits(rng, 7)}",
            f"0160{digits(rng, 7)}",
        ],
        "ja": [
            f"03-{rng.choice('356')}{digits(rng, 3)}-{digits(rng, 4)}",
            f"090-{digits(rng, 4)}-{digits(rng, 4)}",
            f"080{digits(rng, 8)}",
            f"+81 90 {digits(rng, 4)} {digits(rng, 4)}",
            f"06-6{digits(rng, 3)}-{digits(rng, 4)}",
        ],
    }
    return rng.choice(numbers[language])


def card(rng: random.Random, language: str) -> str:
    del language
    start = rng.choice(["4", "51", "54", "2221", "34", "37", "6011", "3528", "622126"])
    length = 15 if start in ("34", "37") else 16
    body = start + letters(rng, length - len(start) - 1, string.digits)
    number = body + luhn.calc_check_digit(body)
    if length == 15:
        return rng.choice([number, f"{number[:4]} {number[4:10]} {number[10:]}"])
    gap = rng.choice(["", " ", "-"])
    return gap.join(number[n : n + 4] for n in range(0, 16, 4))


def iban(rng: random.Random, language: str) -> str:
    german = "DE", f"{rng.choice(['37040044', '50010517', '10011001'])}{digits(rng, 10)}"
    british = "GB", f"{rng.choice(['NWBK', 'BARC', 'MIDL'])}{digits(rng, 14)}"
    austrian = "AT", digits(rng, 16)
    country, account = rng.choice([german, british, austrian] if language == "en" else [german, austrian])
    number = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    whole = f"{country}{98 - int(number) % 97:02d}{account}"
    return rng.choice([whole, " ".join(whole[n : n + 4] for n in range(0, len(whole), 4))])


def ip(rng: random.Random, language: str) -> str:
    del language
    quad = ".".join(str(rng.randint(11, 223)) for _ in range(4))
    private = f"192.168.{rng.randint(0, 20)}.{rng.randint(2, 250)}"
    long = ":".join(letters(rng, 4, "0123456789abcdef") for _ in range(8))
    short = f"2001:db8:{letters(rng, 3, '123456789abcdef')}::{letters(rng, 2, '123456789abcdef')}"
    return rng.choice([quad, quad, private, long, short])


def address(rng: random.Random, language: str) -> str:
    number = rng.randint(1, 240)
    if language == "en":
        street = rng.choice(["Baker Street", "Old Mill Road", "Kings Avenue", "N. Maple Dr", "St. Mary's Lane"])
        return f"{number}{rng.choice(['', '', 'B'])} {street}"
    if language == "de":
        street = rng.choice(
            ["Hauptstraße", "Lindenweg", "Schillerstr.", "Berliner Allee", "Am Alten Markt", "Kirchplatz"]
        )
        return f"{street} {number}{rng.choice(['', '', 'a'])}"
    town = rng.choice(["東京都新宿区西新宿", "大阪府大阪市北区梅田", "神奈川県横浜市中区本町", "京都府京都市左京区"])
    return town + rng.choice(
        [
            f"{rng.randint(1, 9)}丁目{rng.randint(1, 20)}番{rng.randint(1, 20)}号",
            f"{number}番地",
            f"{rng.randint(1, 9)}-{rng.randint(1, 20)}-{rng.randint(1, 20)}",
        ]
    )


def url_credential(rng: random.Random, language: str) -> str:
    del language
    return rng.choice(
        [
            f"https://{letters(rng, 6, string.ascii_lowercase)}:{letters(rng, 12)}@feeds.example.com/daily.csv",
            f"postgres://app:{letters(rng, 14)}@db.example.com:5432/shop",
            f"https://shop.example.com/basket?access_token={letters(rng, 24)}",
            f"https://api.example.com/v2/orders?page=2&api_key={letters(rng, 20)}",
            f"https://store.blob.example.net/a.csv?sv=2024-01-01&sig={letters(rng, 32)}",
        ]
    )


def secret(rng: random.Random, language: str) -> str:
    del language
    upper = string.ascii_uppercase + string.digits
    jwt = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{letters(rng, 43)}"
    block = "\n".join(letters(rng, 64) for _ in range(4))
    return rng.choice(
        [
            f"AKIA{letters(rng, 16, upper)}",
            f"ghp_{letters(rng, 36)}",
            f"glpat-{letters(rng, 20)}",
            f"sk_live_{letters(rng, 24)}",
            f"xoxb-{digits(rng, 12)}-{letters(rng, 24)}",
            f"SG.{letters(rng, 22)}.{letters(rng, 43)}",
            f"AIza{letters(rng, 35)}",
            f"sk-proj-{letters(rng, 48)}",
            f"dapi{letters(rng, 32, '0123456789abcdef')}",
            jwt,
            f"-----BEGIN RSA PRIVATE KEY-----\n{block}\n-----END RSA PRIVATE KEY-----",
        ]
    )


def ssn(rng: random.Random) -> str:
    """Give a number by the rules of the Social Security Administration: no 000, 666 or 9xx area, no 00, no 0000."""
    area = rng.choice([n for n in range(1, 900) if n != 666])
    return f"{area:03d}-{rng.randint(1, 99):02d}-{rng.randint(1, 9999):04d}"


def steuer(rng: random.Random) -> str:
    """Give a German tax number: one digit of the first ten occurs twice, another not at all."""
    while True:
        order = rng.sample(string.digits, 10)
        order[rng.randrange(1, 10)] = order[0]
        body = "".join(order)
        number = body + idnr.mod_11_10.calc_check_digit(body)
        if idnr.is_valid(number):
            return number


def nino(rng: random.Random) -> str:
    number = f"{rng.choice(['AB', 'CE', 'JG', 'PW', 'SR'])}{digits(rng, 6)}{rng.choice('ABCD')}"
    return rng.choice([number, f"{number[:2]} {number[2:4]} {number[4:6]} {number[6:8]} {number[8]}"])


def nie(rng: random.Random) -> str:
    body = digits(rng, 7)
    start = rng.choice("XYZ")
    return f"{start}{body}{dni.calc_check_digit(str('XYZ'.index(start)) + body)}"


def codice_fiscale(rng: random.Random) -> str:
    body = (
        f"{letters(rng, 6, 'BCDFGLMNPRST')}{rng.randint(40, 99)}{rng.choice('ABCDEHLMPRST')}{rng.randint(10, 28)}H501"
    )
    return body + codicefiscale.calc_check_digit(body)


def dutch_bsn(rng: random.Random) -> str:
    while not bsn.is_valid(number := digits(rng, 9)):
        pass
    return number


def my_number(rng: random.Random) -> str:
    body = digits(rng, 11)
    return body + in_.calc_check_digit(body)


def grouped(number: str, *ends: int) -> str:
    """Write a number in groups that end at these positions."""
    return " ".join(number[start:end] for start, end in zip((0, *ends), (*ends, len(number)), strict=True))


IDENTITIES: dict[str, Callable[[random.Random], str]] = {
    "ssn": lambda rng: ssn(rng).replace("-", rng.choice(["", "-", " "])),
    "ssn_dashed": ssn,
    "nino": nino,
    "steuer": steuer,
    "steuer_grouped": lambda rng: grouped(steuer(rng), 2, 5, 8),
    "nie": nie,
    "cf": codice_fiscale,
    "bsn": dutch_bsn,
    "mynumber": my_number,
    "mynumber_grouped": lambda rng: grouped(my_number(rng), 4, 8),
}
VALUES: dict[str, Callable[[random.Random, str], str]] = {
    "email": email,
    "phone": phone,
    "card": card,
    "iban": iban,
    "ip": ip,
    "address": address,
    "url_credential": url_credential,
    "secret": secret,
}


def unusual_email(rng: random.Random, language: str) -> str:
    return rng.choice(
        [email(rng, language).replace("@", " (at) "), email(rng, language).upper(), "müller@firma.example.de"]
    )


def unusual_phone(rng: random.Random, language: str) -> str:
    numbers = {
        "en": [
            f"415.5{digits(rng, 2)}.{digits(rng, 4)}",
            f"4155{digits(rng, 6)}",
            f"+44 (0)20 7{digits(rng, 3)} {digits(rng, 4)}",
        ],
        "de": [
            f"(030) {digits(rng, 3)} {digits(rng, 4)}",
            f"0176 / {digits(rng, 2)} {digits(rng, 3)} {digits(rng, 3)}",
            f"030{digits(rng, 7)}",
        ],
        "ja": [
            f"\uff0803\uff096{digits(rng, 3)}-{digits(rng, 4)}",
            f"03.6{digits(rng, 3)}.{digits(rng, 4)}",
            f"036{digits(rng, 7)}",
        ],
    }
    return rng.choice(numbers[language])


def unusual_address(rng: random.Random, language: str) -> str:
    number = rng.randint(1, 240)
    streets = {
        "en": [f"{number} baker street", f"{number} The Shambles", f"Flat 2, {number} Kings Road"],
        "de": [f"lindenweg {number}", f"Unter den Kastanien {number}", f"Kölner Str. {number}-{number + 2}"],
        "ja": [f"西新宿{number % 9 + 1}丁目", f"名古屋市中区栄{number}番地", f"札幌市北区北{number % 30 + 1}条西4丁目"],
    }
    return rng.choice(streets[language])


UNUSUAL_VALUES: dict[str, Callable[[random.Random, str], str]] = {
    "email": unusual_email,
    "phone": unusual_phone,
    "address": unusual_address,
    "card": lambda rng, language: card(rng, language).replace("-", ".").replace(" ", "  "),
    "iban": lambda rng, language: iban(rng, language).lower(),
    "ip": lambda rng, _: f"{rng.randint(1, 9)}.{rng.randint(0, 99)}.{rng.randint(0, 99)}.{rng.randint(0, 99)}",
    "url_credential": lambda rng, _: f"https://files.example.com/share/{letters(rng, 24)}?t={letters(rng, 20)}",
    "secret": lambda rng, _: rng.choice([letters(rng, 32, "0123456789abcdef"), f"Passwort{rng.randint(100, 999)}!"]),
}
