"""Identifiers, replaced with typed tokens.

An order number says nothing that holds for the next ticket, but that there is one does. What
carries meaning stays: versions, prices, dates, HTTP status and error codes.
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv6Address

import regex

TOKENS = (
    "<url>",
    "<email>",
    "<ip>",
    "<hash>",
    "<order_id>",
    "<invoice_id>",
    "<ticket_id>",
    "<id>",
    "<card>",
    "<phone>",
    "<number>",
)
"""Every typed token that ``clean`` writes. ``<url>`` is followed by the host."""

_URL = regex.compile(
    r"(?:(?:https?|ftps?|wss?)://(?:[^\s/@?#<>]{0,100}+@)?|www\.)"
    r"(?<host>\[[0-9a-f:.]{2,45}+\]|[\w.-]{0,253}+)[^\s<>\"'()\[\]{}|]*+",
    regex.IGNORECASE,
)
_WWW = regex.compile(r"^(?:www\.)++", regex.IGNORECASE)
_EMAIL = regex.compile(r"\b[\w.+-]{1,64}+@[\w-]{1,63}+(?:\.[\w-]{1,63}+){1,8}+")
_BRACKETED = regex.compile(r"<(?:mailto:)?<email>>|\[?mailto:<email>\]?")


def links(text: str) -> str:
    """URLs become ``<url>`` and their host, e-mail addresses ``<email>``."""
    if "://" in text or "www." in text or "WWW." in text:
        text = _URL.sub(_host, text)
    if "@" in text:
        text = _BRACKETED.sub("<email>", _EMAIL.sub("<email>", text))
    return text


def _host(match: regex.Match[str]) -> str:
    host = _WWW.sub("", match["host"].strip("[].-_").lower())
    return f"<url> {host}" if host else "<url>"


_ID_WORDS = {
    "<order_id>": "purchase order|sales order|order|po|shipment|delivery|rma",
    "<invoice_id>": "invoice|receipt|credit note|bill",
    "<ticket_id>": "ticket|case|incident|service request|request",
    "<id>": "account|customer|client|contract|subscription|license|licence|transaction|payment|user"
    "|reference|ref|tracking|serial|policy|member(?:ship)?|quote|device|asset",
}
_PREFIXES = {
    "<order_id>": "ORD|ORDER|PO|SO|RMA",
    "<invoice_id>": "INV|INVOICE",
    "<ticket_id>": "INC|TKT|TCK|TICKET|CASE|REQ|SR|RITM|CHG|CRQ",
    "<id>": "CUST|ACC|ACCT|SUB|TXN|REF|CTR",
}
_TOKEN_OF = {
    word: token
    for words in (_ID_WORDS, _PREFIXES)
    for token, names in words.items()
    for word in names.lower().replace("(?:ship)?", "").split("|")
} | {"membership": "<id>"}
# The number is found first and then, backwards, the words before it: digits are rarer than words.
_ID = regex.compile(
    r"(?<=[A-Za-z#:./_-]\s?)(?<![\d.,$€£])(?!0x|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b)"
    r"[0-9][\w/-]{1,30}+(?![.,]?\d|%)"
)
_BEFORE_ID = regex.compile(
    rf"(?r)\b(?<word>{'|'.join(_ID_WORDS.values())})s?(?:\s(?<kind>id|no|nr|num|number|ref|reference"
    r"|code))?(?<sign>\s?[.:#]{0,2}\s?#?)(?:is\s)?(?<prefix>(?!err|http)[A-Z]{0,5}[-_/]?)$",
    regex.IGNORECASE,
)
_PREFIXED = regex.compile(
    rf"(?<![\w-])(?<word>{'|'.join(_PREFIXES.values())})[-_\#]?\d{{3,}}+[\w-]{{0,30}}+"
)
# Six digits behind an unknown prefix, as ISO-27001 and the like are no ids.
_BARE_ID = regex.compile(r"(?<![\w&#-])(?:#\d{4,12}+|[A-Z]{2,4}-\d{6,12}+)(?![\w-])")
_BARE_HINT = regex.compile(r"#\d{4}|-\d{6}")  # in each of them, and far cheaper to look for

_SHORTEST_HASH = 16
# An address in memory; 0x80070005, with eight digits, is an error code.
_POINTER = regex.compile(r"\b0x[0-9a-fA-F]{9,16}+\b")
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# The classes are possessive and start at a boundary: a run is scanned once for each alternative.
_HASH = regex.compile(
    rf"""(?<![\w+/=-])(?:\{{?{_UUID}\}}?
    | (?=[a-f]*+[0-9])(?=[0-9]*+[a-f])[0-9a-f]{{16,}}+
    | (?:[0-9a-f]{{2}}:){{5,}}+[0-9a-f]{{2}}                  # MAC address, fingerprint
    )(?![\w-])""",
    regex.VERBOSE | regex.IGNORECASE,
)
_BASE64 = regex.compile(r"(?<![\w+/=.-])[A-Za-z0-9+/_-]{60,}+={0,2}+(?:\.[A-Za-z0-9_-]++){0,2}+")


def ids(text: str) -> str:
    """Hashes, UUIDs, addresses in memory, and the ids of orders, invoices, tickets and the like.

    A word in front decides the type ("invoice no. 4711"), or else a known prefix ("INV-4711").
    A bare number behind such a word needs five digits, so that "order 2 licences" stays.
    """
    if not _DIGIT.search(text):
        return text
    words = text.split()
    if max(map(len, words), default=0) >= _SHORTEST_HASH and any(
        len(word) >= _SHORTEST_HASH and _DIGIT.search(word) for word in words
    ):
        text = _HASH.sub("<hash>", _BASE64.sub(_if_encoded, text))
    if "0x" in text:
        text = _POINTER.sub("<hash>", text)
    text = _PREFIXED.sub(lambda match: _TOKEN_OF[match["word"].casefold()], text)
    text = _without_keyed(text)
    return _BARE_ID.sub("<id>", text) if _BARE_HINT.search(text) else text


def _if_encoded(match: regex.Match[str]) -> str:
    """Base64 mixes cases and digits; a ruler, a long word or a path seldom does."""
    run = match[0]
    mixed = any(map(str.isdigit, run)) and not run.islower() and not run.isupper()
    return "<hash>" if mixed and run.count("/") * 16 < len(run) else run


def _without_keyed(text: str) -> str:
    """Replace the numbers that stand behind a word such as "order" or "invoice no."."""
    pieces: list[str] = []
    at = 0
    for number in _ID.finditer(text):
        before = _BEFORE_ID.search(text, max(at, number.start() - 40), number.start())
        if before is None:
            continue
        marked = before["kind"] or before["sign"].strip()
        if sum(map(str.isdigit, number[0])) >= (2 if marked else 5):
            pieces += text[at : before.start("prefix")], _TOKEN_OF[before["word"].casefold()]
            at = number.end()
    return "".join([*pieces, text[at:]])


_DIGIT = regex.compile(r"[0-9]")
_NUMERIC = regex.compile(r"[0-9:][0-9.: ()/-]{4}")
_IP4 = regex.compile(
    r"(?<![\w.-])(?<!version\s)(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)"
    r"(?::\d{1,5}|/\d{1,2})?(?![\w-]|\.\d)",
    regex.IGNORECASE,
)
_IP6 = regex.compile(r"(?<![\w:.])(?=[a-f:]*+\d)[0-9a-f:]{4,39}+(?:/\d{1,3})?(?![\w:.])", regex.I)
_DOTTED = regex.compile(r"\d\.\d")
_COLONS = regex.compile(r"[0-9a-f]{0,4}:[0-9a-f]{0,4}:", regex.IGNORECASE)
_CARD = regex.compile(
    r"(?<![\w.+-])(?:\d{13,19}|\d{4}(?:[ -]\d{4}){3}(?:[ -]\d{3})?|\d{4}[ -]\d{6}[ -]\d{5})"
    r"(?![\w-])"
)
_PHONE = regex.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}(?:[ .()/-]{0,2}\d{1,5}){2,6}"
    r"|(?:1[ .-])?(?:\(\d{3}\)\s?|\d{3}[ .-])\d{3}[ .-]\d{4}|0\d{2,4}[ /-]\d{5,8})(?![\w-]|\.\d)"
)
_NUMBER = regex.compile(r"(?<![\w.,$€£+-])\d{7,}+(?![\w-]|[.,]\d|\s?[$€£%])")


def numbers(text: str) -> str:
    """IP addresses, card numbers (Luhn), phone numbers, and other numbers of seven digits or more.

    Four-part versions with a part over 255, or behind a "v" or "version", are no addresses.
    Amounts, and negative numbers, which Windows writes for error codes, stay.
    """
    if not _NUMERIC.search(text):
        return text
    if _DOTTED.search(text):
        text = _IP4.sub("<ip>", text)
    if _COLONS.search(text):
        text = _IP6.sub(_if_ip6, text)
    text = _CARD.sub(_if_card, text)
    text = _PHONE.sub(_if_phone, text)
    return _NUMBER.sub("<number>", text)


def _if_ip6(match: regex.Match[str]) -> str:
    address = match[0].partition("/")[0]
    if address.count(":") < 2:
        return match[0]
    try:
        IPv6Address(address)
    except AddressValueError:
        return match[0]
    return "<ip>"


def _if_phone(match: regex.Match[str]) -> str:
    """Seven digits up to the fifteen that ITU-T E.164 allows; "+0100" is a time zone."""
    return "<phone>" if 7 <= sum(map(str.isdigit, match[0])) <= 15 else match[0]


def _if_card(match: regex.Match[str]) -> str:
    """The Luhn check of ISO/IEC 7812-1, annex B: it tells a card from an order number."""
    digits = [int(char) for char in match[0] if char.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return "<card>" if (sum(digits[::-2]) + sum(doubled)) % 10 == 0 else match[0]
