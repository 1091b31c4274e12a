"""Pasted stack traces and logs, shortened to what carries meaning."""

from __future__ import annotations

import regex

MAX_LOG_LINES = 6
"""Different lines kept of one pasted log: the first, the last, and the severest between."""

_FRAME = regex.compile(
    r"""\s*+(?:
        at\s++\S                                          # Java, JavaScript, .NET
      | File\s"[^"\n]*+",\sline\s\d                       # Python
      | \#\d{1,4}+\s++(?:0x[0-9a-f]++\b|/|[A-Z]:\\|\{main\})   # PHP, gdb
      | from\s[^\s:]++:\d++:in\b                          # Ruby
      | \S{1,300}\.go:\d++(?:\s\+0x[0-9a-f]++)?\s*+$      # Go
      | \.\.\.\s\d++\s(?:more|common\sframes)             # the rest of a Java trace
    )""",
    regex.VERBOSE,
)
_GO_FILE = regex.compile(r"\s{1,8}+\S{1,300}\.go:\d")
_PYTHON_CODE = regex.compile(r"\s{4,}+(?!File \")\S|\s*+[\^~]++\s*+$")
_MORE = regex.compile(r"\s*+\.\.\.\s\d++\s(?:more|common)")
# Plain strings, as a search for them is far cheaper than any pattern.
_FRAME_HINTS = ("\nat ", "\tat ", "  at ", 'File "', "\n#", "  #", "\nfrom ", "\tfrom ", ".go:")

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_STAMP = regex.compile(
    rf"""\s{{0,8}}+(?:(?:<\d{{1,3}}>\d?\s?)?[\[(]?(?:
        \d{{4}}[-/]\d\d[-/]\d\d[T\s_]\s?\d\d:\d\d(?::\d\d)?(?:[.,]\d{{1,9}})?
            \s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)?              # ISO 8601
      | \d\d[./-]\d\d[./-]\d{{4}}\s\d\d:\d\d:\d\d(?:[.,]\d{{1,9}})?
      | (?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\s)?{_MONTH}\s{{1,2}}\d{{1,2}}\s\d\d:\d\d:\d\d
            (?:\.\d{{1,6}})?(?:\s\d{{4}})?                # syslog, ctime
      | \d\d:\d\d:\d\d[.,]\d{{3,6}}
    )[\])]?[\s:|,-]*+)++""",
    regex.VERBOSE,
)
_ACCESS = regex.compile(
    r"\s{0,8}+\S{1,60}+ \S{1,60}+ \S{1,60}+ \[\d\d/\w{3}/\d{4}:[^\]\n]{1,30}+\] "
    r"(\"[^\"\n]{0,2000}+\" \d{3})\b[^\n]*+$"
)
_CLOCK = regex.compile(r"\d\d:\d\d")
_LEVEL = regex.compile(
    r"\b(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|SEVERE|FATAL|CRIT(?:ICAL)?|ALERT|EMERG"
    r"|PANIC|trace|debug|info|notice|warn(?:ing)?|err(?:or)?|fatal|crit(?:ical)?|alert)\b"
    r"|\w\[\d{1,7}\]:|\" [1-5]\d\d\b"  # a process of syslog, a status of an access log
)
_SEVERE = regex.compile(
    r"warn|err|severe|fatal|crit|alert|emerg|panic|exception|fail|denied|refused|timed? ?out"
    r"|\" [45]\d\d",
    regex.IGNORECASE,
)
_PROCESS = regex.compile(r"(?<=\w)\[\d{1,7}\](?=:)")
_DIGITS = regex.compile(r"[0-9]++")

_JSON_LEVEL = regex.compile(
    r"\"(?:level|severity|lvl|log\.level|levelname)\"\s{0,3}:\s{0,3}\"(\w{1,20}+)\"",
    regex.IGNORECASE,
)
_JSON_TEXT = regex.compile(
    r"\"(?:message|msg|error|err|exception|event|logger)\"\s{0,3}:\s{0,3}\"((?:[^\"\\\n]|\\.){1,2000}+)\"",
    regex.IGNORECASE,
)
_JSON_ESCAPE = regex.compile(r"\\(?:u[0-9a-fA-F]{4}|.)")


def logs(text: str) -> str:
    """Shorten stack traces and logs.

    Of a trace stay the exceptions and, of three frames or more in a row, the first and the last.
    Of a log stay level and message: time stamps, process numbers and repeats go, and of more than
    ``MAX_LOG_LINES`` different lines the severest stay. A JSON record leaves its level and its
    message. Written dates in prose are no log: it takes a level, or three stamped lines in a row.
    """
    if any(hint in text for hint in _FRAME_HINTS):
        text = "\n".join(_shorten_traces(text.split("\n")))
    if '{"' in text or _CLOCK.search(text):
        text = "\n".join(_shorten_logs(text.split("\n")))
    return text


def _shorten_traces(lines: list[str]) -> list[str]:
    kept: list[str] = []
    frames: list[str] = []
    for place, line in enumerate(lines):
        following = lines[place + 1] if place + 1 < len(lines) else ""
        # Go writes the call and its file on two lines; Python shows the code below the frame.
        if _FRAME.match(line) or (line.endswith(")") and _GO_FILE.match(following)):
            frames.append(line)
        elif not (frames and 'File "' in frames[-1] and _PYTHON_CODE.match(line)):
            kept += _ends(frames)
            frames = []
            kept.append(line)
    return kept + _ends(frames)


def _ends(frames: list[str]) -> list[str]:
    frames = [frame for frame in frames if not _MORE.match(frame)]
    return [frames[0], frames[-1]] if len(frames) > 2 else frames


def _shorten_logs(lines: list[str]) -> list[str]:
    kept: list[str] = []
    run: list[str] = []
    raw: list[str] = []
    for line in lines:
        message = _log_message(line)
        if message is None:
            kept += _essence(raw, run)
            raw, run = [], []
            kept.append(line)
        else:
            raw.append(line)
            run.append(message)
    return kept + _essence(raw, run)


def _log_message(line: str) -> str | None:
    """What a log line says, without its time stamp; None if it has none."""
    if stamp := _STAMP.match(line):
        return _PROCESS.sub("", line[stamp.end() :])
    if access := _ACCESS.match(line):
        return access[1]
    if line.lstrip().startswith("{") and (level := _JSON_LEVEL.search(line)):
        texts = [_JSON_ESCAPE.sub(" ", match[1]) for match in _JSON_TEXT.finditer(line)]
        return " ".join([level[1].upper(), *texts]) if texts else None
    return None


def _essence(raw: list[str], run: list[str]) -> list[str]:
    """The lines to keep of a run of log lines, given as written and without their stamps."""
    if len(run) < 3 and not any(_LEVEL.search(line[:300]) for line in raw):
        return raw
    distinct = list({_DIGITS.sub("0", line): line for line in reversed(run)}.values())[::-1]
    if len(distinct) <= MAX_LOG_LINES:
        return distinct
    between = distinct[1:-1]
    severe = [line for line in between if _SEVERE.search(line)]
    return [distinct[0], *severe[: MAX_LOG_LINES - 2], distinct[-1]]
