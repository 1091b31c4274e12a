"""The written report: what an evaluation found, for people.

`record` is the shape of what was found, with `pictures` of it, which `plots` draws. `sections` says
what there is to tell, as blocks of a `document`: sentences and `tables`, figures as `wording` has
them. `render` makes HTML, Markdown, JSON and lines for the console of that.
"""

from eval.report.render import table, write_report

__all__ = ["table", "write_report"]
