"""Personal data that cleaning leaves, masked before a text goes into a prompt.

`cascade.clean` writes typed tokens for e-mail addresses, phones, cards, IP addresses and ids,
since these say nothing about the queue. Names, street addresses, dates of birth, IBANs and social
security numbers say nothing either, and besides they are nobody's business: `mask` replaces them
in what a language model is shown. It finds them by their shape and by the words around them
(English, German, French, Spanish), so it is a net with holes, not a proof of anonymity: a name in
the middle of a sentence stays.

Its laws, each tested: total; idempotent; linear in the length, as each pattern is bounded.
Idempotent because `mask` repeats its pass until nothing changes; that ends, as each match takes
letters or digits away and puts none back but those of a token, which no pattern matches.
"""

from __future__ import annotations

import regex

TOKENS = ("<iban>", "<ssn>", "<birth_date>", "<address>", "<name>")
"""Every typed token that `mask` writes, besides those of `cascade.clean`."""

_IBAN = regex.compile(
    r"(?<!\w)(?:[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?"
    r"|[a-z]{2}\d{2}[a-z0-9]{11,30})(?!\w)"
)
_SSN = regex.compile(
    r"""(?<![\w-])(?=[\dA-Z])(?:\d{3}-\d{2}-\d{4}                                       # US
    | [A-CEGHJ-PR-TW-Z]{2}\ ?\d{2}\ ?\d{2}\ ?\d{2}\ ?[A-D]                   # UK
    | [12]\ ?\d{2}\ ?(?:0[1-9]|1[0-2])\ ?\d[\dAB]\ ?\d{3}\ ?\d{3}\ ?\d{2}    # France
    | \d{2}\ ?\d{6}\ ?[A-Z]\ ?\d{3}                                          # Germany, pensions
    )(?![\w-])""",
    regex.VERBOSE,
)
_NAMED_SSN = regex.compile(
    r"\b(?:ssn|social security|national insurance|tax id|passport|sozialversicherungs|steuer-?id"
    r"|sécurité sociale|seguridad social|dni|nie)(?:nummer)?(?:\s(?:number|no|nr|num))?\.?"
    r"(?:\sis)?\s?[:#=]?\s?\K(?=\S{0,15}\d)[A-Z0-9][\w/.-]{1,20}(?:[ ]\d[\w-]{0,10}){0,4}(?!\w)",
    regex.IGNORECASE,
)

_MONTH = (
    r"(?:jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez|ene|abr|ago|dic|janv|févr"
    r"|avr|juin|juil|août|déc)\p{L}{0,8}\.?"
)
_BIRTH = regex.compile(
    r"\b(?:date of birth|birth ?date|birthday|born|d\.?o\.?b\.?|geboren|geburtsdatum|née?"
    r"|date de naissance|nacid[oa]|fecha de nacimiento)"
    r"(?:\s(?:is|was|on|am|le|el)){0,2}\s?[:=]?\s?\K"
    rf"(?:\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{1,4}}|\d{{1,2}}(?:st|nd|rd|th|\.)?\s(?:of\s|de\s)?{_MONTH}"
    rf"(?:,|\sde)?\s\d{{4}}|{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}})(?!\w)",
    regex.IGNORECASE,
)

_PROPER = r"\p{Lu}[\p{L}'’.-]{1,30}+"
_TOWN = rf"(?:,?\s(?:[A-Z]{{1,2}}-)?\d{{4,5}}\s{_PROPER}(?:\s{_PROPER}){{0,2}})"
_ADDRESS = regex.compile(
    rf"""(?<![\w.,-])(?:
      \d{{1,5}}[A-Za-z]?,?\s(?:[NSEW]\.?\s)?
        (?:(?:{_PROPER}|\d{{1,3}}(?:st|nd|rd|th))\s){{1,4}}
        (?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Square|Sq
          |Terrace|Way|Highway|Hwy|Parkway|Pkwy|Close|Crescent|Gardens)(?!\w)\.?
        (?:,?\s(?:[Aa]pt|[Ss]uite|[Uu]nit|[Ff]lat|[Ff]loor|\#)\.?\s?\w{{1,6}})?
        (?:,\s{_PROPER}(?:\s{_PROPER}){{0,2}})?
        (?:,?\s[A-Z]{{2}}\s\d{{5}}(?:-\d{{4}})?
          |,?\s[A-Z]{{1,2}}\d[A-Z\d]?\s\d[A-Z]{{2}})?
    | \d{{1,5}}\s(?:[a-z]{{2,20}}\s){{1,2}}(?:street|avenue|boulevard)
    | (?:\p{{Lu}}[\p{{L}}-]{{1,30}}?(?:straße|strasse|str\.|weg|platz|allee|gasse|damm|ufer)
        |{_PROPER}\s(?:Straße|Strasse|Str\.|Weg|Platz|Allee))\s\d{{1,4}}\s?[a-z]?(?!\w){_TOWN}?
    | \d{{1,4}}(?:\s?(?:bis|ter))?,?\s(?:rue|avenue|boulevard|place|chemin|allée|impasse|quai)\s
        (?:(?:de|du|des|la|le|les)\s){{0,2}}(?:[dl]['’])?{_PROPER}(?:[\s-]{_PROPER}){{0,3}}{_TOWN}?
    | (?:Calle|C/|Avenida|Avda\.?|Paseo)\s?(?:(?:de|del|la|los|las)\s){{0,2}}
        {_PROPER}(?:\s{_PROPER}){{0,3}},?\s\d{{1,4}}{_TOWN}?
    | (?:P\.?\s?O\.?\s?Box|Postfach)\s\d[\d\ ]{{1,8}}
    )(?!\w)""",
    regex.VERBOSE,
)

# Words that stand where names do, in greetings above all.
_NO_NAME = (
    r"(?!(?:mrs?|ms|mx|dr|prof|herrn?|frau|mme|mlle|team|support|all|there|sir|sirs|madam|everyone|everybody|folks|guys|colleagues?|again"
    r"|help|helpdesk|desk|service|it|hr|customer|customers|user|users|admin|administrators?|staff"
    r"|friends?|hiring|manager|department|dept|sales|billing|security|in|for|to|from|the|your|you"
    r"|my|our|we|not|and|or|but|so|please|damen|herren|zusammen|kundendienst|kundenservice|kollegen|world|alle|équipe|tous|à|word|excel"
    r"|office|outlook|teams|access|project|windows|sql|edge|unable|having|trying|regards|thanks"
    r"|thank|best|kind|wishes|very|much|morning|afternoon|evening|day|regarding|urgent|wrong"
    r"|misspelled|incorrect|missing|spelled|being|still)(?![\w'’]))"
)
_PIECE = r"(?:\p{Lu}\.|\p{Lu}[\p{L}\p{M}'’-]{1,30}+)"
_LINK = r"(?:(?:van|von|de|da|del|der|den|di|dos|la|le|bin|al|el)\s){1,2}"
_FIRST = rf"(?i:{_NO_NAME}){_PIECE}"
_MORE = rf"(?:[ ](?:{_LINK})?(?i:{_NO_NAME}){_PIECE})"
_NAME = rf"(?:{_LINK})?{_FIRST}{_MORE}{{0,3}}(?![\w'’])"
_FULL_NAME = rf"(?:{_LINK})?{_FIRST}{_MORE}{{1,3}}(?![\w'’])"
_TITLE = r"(?:mrs?|ms|mx|dr|prof|herrn?|frau|mme|mlle|monsieur|madame|señora?|sra?)\.?"
_THANKS = (
    r"(?:(?:with|best|kind|kindest|warm|many|my|mit|freundlichen|viele|liebe|schöne)\s){0,2}"
    r"(?:regards|wishes|greetings|thanks|thank\syou|thx|cheers|sincerely|best|yours|rgds"
    r"|gr[üu](?:ß|ss)en?|mfg|danke|merci|cordialement|gracias|saludos)"
    r"(?:\s(?:in\sadvance|again|so\smuch|very\smuch|a\slot|sincerely|truly|faithfully|regards"
    r"|and\sregards))?"
)
_NAMES = tuple(
    regex.compile(pattern, regex.MULTILINE)
    for pattern in (
        # "Dear Ms Miller", "Hi John," and "hi john,": a name ends with the line or with a comma.
        r"^(?i:\s?(?:hi|hello|hey|dear|good\s(?:morning|afternoon|evening|day)|hallo|liebe[r]?"
        r"|guten\s(?:tag|morgen|abend)|sehr\sgeehrte[r]?|bonjour|ch[eè]re?|hola|estimad[oa])\s"
        rf"(?:{_TITLE}\s)?)\K"
        rf"(?:{_NAME}(?=\s?(?:[,!.:;–-]|$|\s(?:I|I['’]m|we|my|please)\b))"
        rf"|(?i:{_NO_NAME})\p{{Ll}}{{2,20}}+(?=\s?(?:[,!]|$)))",
        # "Thanks, Bob" and, below "Regards,", "Jane Doe".
        rf"(?i:(?<!\w){_THANKS})(?:[,.!]{{0,3}}\s|[,.!]{{1,3}}|\s?[–-]\s?)\K{_NAME}(?=[.!]?\s?$)",
        rf"(?<=\n)[–—~-]{{1,2}}\s?\K{_NAME}(?=\s*\Z)",
        # "My name is john", "this is Jane Doe", "I'm Bob from sales".
        r"(?i:\b(?:my\sname\sis|my\sname['’]s|mein\sname\sist|ich\shei(?:ß|ss)e|je\sm['’]appelle"
        r"|me\sllamo|mi\snombre\ses)\s)\K"
        rf"(?:{_NAME}|(?i:{_NO_NAME})\p{{Ll}}{{2,20}}+{_MORE}?(?![\w'’]))",
        r"(?i:(?:^|\b(?:full|first|last|family|customer|employee|caller|contact)\s)name\s?:\s?)\K"
        rf"{_NAME}",
        r"(?i:\b(?:this\sis|it['’]s|i\sam|i['’]m|here\sis|hier\sist|ich\sbin|je\ssuis|soy)\s)\K"
        rf"(?:{_FULL_NAME}|{_NAME}(?=,?\s(?:from|of|at|with|here|von|aus|de|du)\b))",
        # "Mr. Miller", anywhere.
        r"(?<!\w)(?:Mrs?|Ms|Mx|Dr|Prof|Herrn?|Frau|Mme|Mlle|Monsieur|Madame|Señora?|Sra?)\.?\s\K"
        rf"{_NAME}",
    )
)


def mask(text: str) -> str:
    """Replace personal data with typed tokens.

    Args:
        text: a ticket that was cleaned; any other text is taken, too.

    Returns:
        The text with `TOKENS` in place of what was found, and otherwise unchanged.
    """
    while (masked := _once(text)) != text:
        text = masked
    return text


def _once(text: str) -> str:
    if any(map(str.isdigit, text)):
        text = _IBAN.sub(_if_digits, text)
        text = _NAMED_SSN.sub("<ssn>", _SSN.sub("<ssn>", text))
        text = _BIRTH.sub("<birth_date>", text)
        text = _ADDRESS.sub("<address>", text)
    for pattern in _NAMES:
        text = pattern.sub("<name>", text)
    return text


def _if_digits(match: regex.Match[str]) -> str:
    """An IBAN has 8 digits and more; its check digits are not asked, for a typo is no consent."""
    return "<iban>" if sum(map(str.isdigit, match[0])) >= 8 else match[0]
