"""What fills the slots of the phrases: invented people, firms, products, numbers and dates.

``year`` is the one slot that has no maker: it is a fact of the ticket, known from its date.

Domains are those reserved for documentation (RFC 2606, RFC 6761), addresses are from RFC 5737,
phone numbers from the fictitious range 555-0100 to 555-0199.
"""

from __future__ import annotations

from collections.abc import Callable

from train.starter.grammar import Speaker, bank, words

Maker = Callable[[Speaker], str]

FIRST = words(
    "Adela Amir Anouk Arjun Astrid Bao Bea Bogdan Carla Cedric Chidi Dagny Dario Devi Eamon Elif "
    "Emeka Fatou Femke Gunnar Hana Hassan Ilse Imran Ines Ivo Jana Joaquim Kaito Katya Kofi Lars "
    "Leila Linh Luca Mads Maren Marisol Mateo Meera Milan Nadia Niamh Noor Oksana Omar Paulo Petra "
    "Priya Rafa Ragna Ravi Rosa Sanne Selim Sofia Tariq Tess Tomasz Uma Vera Viktor Wanda Yara "
    "Yusuf Zofia"
)
LAST = words(
    "Abernash Adomako Bakkervik Balinski Brandowe Calloway Castellar Dahlgrun Delacourte Dombrova "
    "Eastwick Ferrando Fjellstad Gallowhite Grunvald Hakimova Harrowgate Ibekwe Jankowicz Kallinen "
    "Kessborough Lindqvold Lombardine Marchetti-Roy Mbeki-Lund Nakagiri Northcote Okonjo Ostermann "
    "Palmgren Petrosian Quillon Rautanen Redfearne Sandoval-Wix Schreiver Tanabori Thackwood "
    "Ulvestad Vandermolen Varghesi Wexcombe Whitlowe Yamazuki Zabrinsky Zeldenrust"
)
FIRM = words(
    "Halvorn Brimwick Tessaly Corvane Oakmere Pellworth Sunderby Vintrose Marlock Eskadale "
    "Fennimore Glasswater Drovers Quayside Lindenau Ashgrove Bluefin Kestrel Tamarack Ironmoor "
    "Silverbeck Northwold Amberley Cinderford Harrowfield Redstone Westerlund Copperhill"
)
TRADE = words(
    "Logistics Dental Foods Optics Textiles Freight Clinics Housing Tools Publishing Energy "
    "Insurance Hotels Schools Travel Timber Labs Legal Media Ceramics Pharma Retail Farms"
)
FORM = ("Ltd", "GmbH", "Inc.", "B.V.", "SARL", "AB", "Group", "& Sons", "LLC", "Oy")
TLD = ("example.com", "example.org", "example.net", "test", "invalid")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = words(
    "January February March April May June July August September October November December"
)
SMALL = ("two", "three", "four", "five", "six", "seven", "eight", "nine")

BANKS = {
    "product": """\
Norvane [Desk|Flow|Sync|Ledger|Forms|Vault|Pulse|Portal|Planner|Connect]
[Norvane|your software|your system|the Norvane suite|Quillmark|Tavrio Board]
""",
    "area": """\
[invoice|billing|payment|pricing|subscription|checkout] [page|tab|screen|overview]
[login|password|sign-in|SSO|user|role] [screen|page|settings]
[audit log|consent form|privacy centre|data export|retention settings|access report]
[quote builder|price list|customer portal|contract module|offer editor|lead list]
[report designer|dashboard|weekly report|import wizard|search page|calendar|planning board]
[ticket|order|stock|contact|task|document|project|asset|shift] [list|view|form|module|editor]
[API console|webhook settings|mobile app|notification centre|template gallery|admin area]
""",
    "system": """\
our [ERP|CRM|shop|accounting program|data warehouse|HR system|mail server|phone system]
the [warehouse system|till|shop|booking engine|Active Directory|time clock]
""",
    "team": """\
[finance|sales|support|HR|legal|warehouse|billing|compliance|IT|field|design|night|purchasing] team
[accounts department|front desk|service desk|back office|lab|call centre]
""",
    "role": """\
[Head of|Assistant,|Team lead,|Director,|Manager,] [Finance|Sales|Compliance|IT|Operations|Accounts]
[Billing clerk|Data protection officer|System administrator|Account manager|Office manager]
[Developer|Buyer|Controller|Support agent|Security analyst|Sales representative|Registrar|Nurse]
""",
    "error": """\
error [500|502|503|504|400|409|413|422]
["Something went wrong"|"Unexpected error"|"Request failed"|"Please try again later"]
[code|error] [ERR|NV|E|SYS]-{digits}
a [time-out|blank page|red box|stack trace|script error]
["Gateway timeout"|"Invalid state"|"Null reference"|"Connection reset"|"Conflict"]
""",
    "when": """\
since [{day}|this morning|yesterday|{date}|last week|the update|the weekend|about {n} days]
[after the last update|after version {version}|since the maintenance on {date}|as of {clock} today]
[for {n} days now|for a week|on and off since {month}|from {date} on]
""",
    "when2": """\
[Since|From] [{day}|this morning|yesterday|{date}|the weekend|last week] on,
[After the update to {version}|For {n} days|For about a week|As of today|Since the maintenance],
""",
    "when3": """\
for [{n} days|a week|{n} weeks|hours|days]
since [{day}|{date}|yesterday]
""",
    "past": """\
[last|on] {day}
[in {month}|on {date}|two weeks ago|a month ago|{n} days ago|last month|earlier this year]
""",
    "browser": """\
[Firefox|Chrome|Edge|Safari|Chromium|Brave] {major}
[Firefox|Chrome|Edge|Safari]
""",
    "device": """\
a [laptop|tablet|phone|desktop PC|work phone|home computer|Mac|Windows 11 machine]
[Android {small}|iOS {major}|Windows 10|Windows 11|macOS {small}|Ubuntu|a thin client]
""",
    "plan": """\
[Starter|Team|Business|Enterprise|Enterprise Plus|Professional]
""",
    "rival": """\
[Belltrix|Orvado|Helmbase|Tiksu|Ponderly|Zentriq|Cassowary CRM]
""",
    "sector": """\
[health care|logistics|retail|insurance|education|food|energy|housing|tourism|public service]
""",
    "country": """\
[Germany|France|Poland|Canada|Brazil|Japan|Ireland|Spain|Kenya|Norway|India|Italy|Austria|Chile]
[the Netherlands|the US|the UK|Switzerland|Portugal|Denmark|Mexico|South Africa|Singapore]
""",
    "law": """\
[the GDPR|Article {n} GDPR|Art. 15|Art. 17|Art. 28 GDPR|the data protection act|the CCPA|local law]
""",
}

BANKED = {name: bank(text) for name, text in BANKS.items()}


def _amount(s: Speaker) -> str:
    whole = s.pick((s.below(90) + 9, s.below(900) + 100, s.below(20_000) + 1_000))
    cents = s.pick(("00", "00", "50", "90", "95", f"{s.below(100):02}"))
    currency = s.pick(("EUR ", "USD ", "GBP ", "$", "$", "€", "CHF "))
    return f"{currency}{whole:,}.{cents}"


def _date(s: Speaker) -> str:
    day, month = s.below(28) + 1, s.below(12)
    return s.pick(
        (
            f"{day} {MONTHS[month]}",
            f"{MONTHS[month]} {day}",
            f"{day:02}.{month + 1:02}.{s.fill('year')}",
            f"{s.fill('year')}-{month + 1:02}-{day:02}",
            f"{month + 1}/{day}",
        )
    )


def _clock(s: Speaker) -> str:
    hour, minute = s.below(24), s.pick((0, 15, 30, 45, s.below(60)))
    if s.chance(0.6):
        return f"{hour:02}:{minute:02}"
    return f"{hour % 12 or 12}.{minute:02} {'am' if hour < 12 else 'pm'}"


def _mail(s: Speaker) -> str:
    return f"{s.fill('first')}.{s.fill('last')}@{s.fill('domain')}".lower()


def _mail2(s: Speaker) -> str:
    return (
        s.pick(("invoices", "office", "it", "info", s.pick(FIRST).lower()))
        + "@"
        + (s.fill("domain") if s.chance(0.7) else s.pick(TLD[:3]))
    )


def _company(s: Speaker) -> str:
    return f"{s.pick(FIRM)} {s.pick(TRADE)} {s.pick(FORM)}"


def _domain(s: Speaker) -> str:
    firm, trade = s.fill("company").lower().split()[:2]
    return f"{s.pick((firm, f'{firm}-{trade}'))}.{s.pick(TLD)}"


def _who(s: Speaker) -> str:
    first, last = s.pick(FIRST), s.pick(LAST)
    return s.pick((first, f"{first} {last}", f"my colleague {first}", f"Ms {last}", f"Mr {last}"))


def _phone(s: Speaker) -> str:
    return f"{s.below(700) + 201}-555-01{s.below(100):02}"


def _url(s: Speaker) -> str:
    host = s.pick(("app", "api", "portal", "my", "status")) + "." + s.pick(TLD[:3])
    path = s.pick(("invoices", "login", "orders", "v2/items", "export", "users", "quotes", "audit"))
    return f"https://{host}/{path}" + s.pick(("", f"/{s.below(90_000)}", f"?ref={trace(s)[:6]}"))


def trace(s: Speaker) -> str:
    """A request id of 12 hexadecimal digits."""
    return f"{s.below(16**12):012x}"


def documentation_ip(s: Speaker) -> str:
    """An IPv4 address from one of the ranges reserved for documentation (RFC 5737)."""
    return f"{s.pick(('192.0.2', '198.51.100', '203.0.113'))}.{s.below(254) + 1}"


def _bank(name: str) -> Maker:
    phrases = BANKED[name]

    def fill(s: Speaker) -> str:
        parts: list[str] = []
        s.speak(s.pick(phrases), parts)
        return "".join(parts)

    return fill


_area = _bank("area")


def _area2(s: Speaker) -> str:
    """A second area, another than the first."""
    first = other = s.fill("area")
    while other == first:
        other = _area(s)
    return other


MAKERS: dict[str, Maker] = {
    **{name: _bank(name) for name in BANKS},
    "amount": _amount,
    "date": _date,
    "clock": _clock,
    "mail": _mail,
    "mail2": _mail2,
    "company": _company,
    "domain": _domain,
    "who": _who,
    "who2": _who,
    "url": _url,
    "trace": trace,
    "ip": documentation_ip,
    "area2": _area2,
    "device2": _bank("device"),
    "first": lambda s: s.pick(FIRST),
    "last": lambda s: s.pick(LAST),
    "day": lambda s: s.pick(DAYS),
    "month": lambda s: s.pick(MONTHS),
    "n": lambda s: str(s.below(8) + 2) if s.chance(0.5) else s.pick(SMALL),
    "tens": lambda s: str(10 * (s.below(8) + 2)),
    "small": lambda s: str(s.below(6) + 11),
    "major": lambda s: str(s.below(30) + 110),
    "many": lambda s: str(s.pick((s.below(90) + 10, s.below(900) + 100))),
    "digits": lambda s: str(s.below(9_000) + 1_000),
    "percent": lambda s: f"{s.below(90) + 5} %" if s.chance(0.4) else f"{s.below(90) + 5}%",
    "version": lambda s: f"{s.below(6) + 2}.{s.below(20)}" + s.pick(("", f".{s.below(10)}")),
    "invoice": lambda s: (
        s.pick(("INV-", "invoice ", "invoice no. ", "RE-")) + str(s.below(90_000) + 10_000)
    ),
    "order": lambda s: s.pick(("ORD-", "SO", "#", "A-")) + str(s.below(900_000) + 100_000),
    "account": lambda s: s.pick(("C-", "cust. ", "")) + str(s.below(90_000) + 10_000),
    "case": lambda s: s.pick(("#", "ticket ", "NV-", "case ")) + str(s.below(900_000) + 100_000),
    "user": lambda s: (
        s.fill("first")[0] + s.pick((".", "", "_")) + s.fill("last") + s.pick(("", "2", "01"))
    ).lower(),
    "phone": _phone,
    "phone2": _phone,
    "file": lambda s: (
        s.pick(("export", "report", "invoices", "users", "stock"))
        + s.pick(("_", "-", ""))
        + s.pick((s.pick(MONTHS).lower(), str(s.below(900)), "final"))
        + s.pick((".csv", ".xlsx", ".pdf", ".zip"))
    ),
}

LASTING = frozenset(
    words(
        "product area area2 system team role error browser device plan rival sector country law "
        "company domain who who2 first last mail version invoice order account case user phone "
        "phone2 file url date"
    )
)
