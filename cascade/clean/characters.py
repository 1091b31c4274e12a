"""Characters and white space: what a text looks like before and after everything else."""

from __future__ import annotations

import unicodedata

import regex

_NEWLINE = regex.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")

# Controls (but tab and newline), format characters (zero-width, soft hyphen, BOM, direction marks),
# surrogates, private use and non-characters. A control parts two words, a format character does
# not, so the former become spaces and the latter vanish. The zero-width joiner goes, too: emoji
# that it joins stay side by side.
_CONTROL = regex.compile(r"[^\P{Cc}\t\n]|\p{Cs}")
_INVISIBLE = regex.compile(r"[\p{Cf}\p{Co}\p{Cn}\ufe00-\ufe0f\ufffc\ufffd]++")

# Windows-1252, with the five bytes that it leaves undefined read as Latin-1, as browsers do.
_BYTE_OF = {
    bytes([byte]).decode("cp1252", "ignore") or chr(byte): byte for byte in range(0x80, 0x100)
}
_TRAIL = "".join(regex.escape(char) for char, byte in _BYTE_OF.items() if byte < 0xC0)
_MOJIBAKE = regex.compile(f"[\u00c2-\u00df][{_TRAIL}]|[\u00e0-\u00ef][{_TRAIL}]{{2}}")

_RUN = regex.compile(r"([^\w\s])\1{3,}+")


def characters(text: str) -> str:
    """Normalise characters: NFKC, line ends, controls, invisible characters, broken UTF-8.

    NFKC and not NFC, as full-width letters, ligatures and exotic spaces in mail are accidents of
    the keyboard or of a PDF: a vocabulary should hold one spelling of a word.
    """
    if text.isascii():
        if text.replace("\n", " ").replace("\t", " ").isprintable():  # nearly always, and fast
            return text
        return _CONTROL.sub(" ", _NEWLINE.sub("\n", text))
    text = _NEWLINE.sub("\n", _MOJIBAKE.sub(_redecode, text))
    text = _INVISIBLE.sub("", _CONTROL.sub(" ", text))
    return unicodedata.normalize("NFKC", text)


def _redecode(match: regex.Match[str]) -> str:
    """UTF-8 that was read as Windows-1252 (``Ã©``), read again; itself where it was not."""
    text = match[0]
    try:
        return bytes(_BYTE_OF[char] for char in text).decode("utf-8")
    except UnicodeDecodeError:
        return text


def space(text: str) -> str:
    """One space between words, one newline between paragraphs, no line twice in a row.

    Runs of one punctuation mark (rulers, exclamation marks) are cut to three.
    """
    text = _RUN.sub(r"\1\1\1", text)
    lines: list[str] = []
    for line in text.split("\n"):
        line = " ".join(line.split())
        if line and not (lines and lines[-1] == line):
            lines.append(line)
    return "\n".join(lines)
