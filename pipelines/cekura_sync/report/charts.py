"""Charts as SVG. Colours are the page's CSS variables, so that one drawing serves light and dark; names are text by construction."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

# Wide enough for a wall's column, narrow enough for a phone.
WIDTH = 360
ROW = 58  # pixels for a name, what belongs to it, and its mark
NAMES, BELOW, MARKS = -21, -5, 13  # where these are, from the row's middle
LONGEST, LONGER = 190, 250  # pixels of a name before it is cut, beside a change and beside one number

INK, MUTED, GRID = "var(--ink)", "var(--muted)", "var(--grid)"
SERIES, RANGE, BAND = "var(--series)", "var(--range)", "var(--band)"
WORSE, BETTER = "var(--worse)", "var(--better)"
TONES = {"regressed": WORSE, "improved": BETTER}

PERCENT = "format(datum.value * 100, '~r') + ' %'"
Item = dict[str, Any]


def dumbbells(title: str, items: Sequence[Item], axis: str) -> Markup:
    """A row per item from `before` to `after`, both rates, in the colour of its `verdict`."""
    rows = [{"place": place, **item, **_tones(item["verdict"])} for place, item in enumerate(items)]
    base = _base(rows)
    before, after = alt.X("before:Q", scale=_whole(), axis=_percent_axis(axis)), alt.X("after:Q")
    bar = base.mark_rule(strokeWidth=3, yOffset=MARKS).encode(x=before, x2="after:Q", color=_tone())
    hollow = base.mark_point(size=70, fill="var(--card)", opacity=1, strokeWidth=2, yOffset=MARKS).encode(
        x=before, stroke=_tone()
    )
    filled = base.mark_point(size=90, filled=True, opacity=1, yOffset=MARKS).encode(x=after, color=_tone())
    return _svg(
        title, alt.layer(*_labels(base, LONGEST, _tone("ink:N")), bar, hollow, filled), len(rows) * ROW
    )


def intervals(title: str, items: Sequence[Item], axis: str, whole: bool = True) -> Markup:
    """A row per item: its `rate` on its interval from `low` to `high`."""
    rows = [{"place": place, **item} for place, item in enumerate(items)]
    base = _base(rows)
    rate = alt.X(
        "rate:Q", scale=_whole() if whole else alt.Scale(zero=True, nice=True), axis=_percent_axis(axis)
    )
    bar = base.mark_rule(strokeWidth=6, strokeCap="round", color=RANGE, yOffset=MARKS).encode(
        x=alt.X("low:Q", axis=_percent_axis(axis)), x2="high:Q"
    )
    point = base.mark_point(size=80, filled=True, opacity=1, color=SERIES, yOffset=MARKS).encode(x=rate)
    return _svg(title, alt.layer(*_labels(base, LONGER, alt.value(INK)), bar, point), len(rows) * ROW)


@dataclass(frozen=True)
class Marks:
    """Days to mark on a curve: of noted changes, and the first of a new level, in the colour of its `verdict`."""

    changes: Sequence[date]
    step: date | None
    verdict: str


def over_time(
    title: str, periods: Sequence[Item], unit: str, window: tuple[date, date], marks: Marks
) -> Markup:
    """`rate` by `period` in the `window`, with the band of its interval, broken where there is none."""
    first, last = window
    base = alt.Chart(alt.InlineData(values=list(periods)))
    x = alt.X(
        "period:T",
        scale=alt.Scale(type="utc", domain=[first.isoformat(), last.isoformat()], nice=False, padding=6),
        axis=_date_axis(unit, first, last),
    )
    axis = _percent_axis("runs passed", values=[0, 0.25, 0.5, 0.75, 1])
    low = alt.Y("low:Q", scale=_whole(), axis=axis)
    rate = alt.Y("rate:Q", scale=_whole(), axis=axis)
    dot = 18 if len(periods) < 60 else 6
    layers = [
        base.mark_area(fill=BAND, stroke=RANGE, strokeWidth=0.75).encode(x=x, y=low, y2="high:Q"),
        base.mark_rule(color=RANGE, strokeWidth=dot / 18).encode(x=x, y=low, y2="high:Q"),
        base.mark_line(color=SERIES, strokeWidth=2).encode(x=x, y=rate),
        base.mark_point(color=SERIES, filled=True, opacity=1, size=dot).encode(x=x, y=rate),
    ]
    return _svg(title, alt.layer(*layers, *_marked(marks)), 150)


def _marked(marks: Marks) -> list[alt.Chart]:
    """Lines across the whole height; the note below the chart explains them."""
    noted = alt.Chart(_days(marks.changes)).mark_rule(color=INK, strokeWidth=1).encode(x="day:T")
    flag = alt.Chart(_days(marks.changes)).mark_point(
        shape="triangle-down", filled=True, opacity=1, size=60, color=INK
    )
    step = alt.Chart(_days([marks.step] if marks.step else [])).mark_rule(
        color=TONES[marks.verdict], strokeWidth=2, strokeDash=[5, 3]
    )
    drawn = [noted, flag.encode(x="day:T", y=alt.value(4))] if marks.changes else []
    return drawn + ([step.encode(x="day:T")] if marks.step else [])


def _days(days: Sequence[date]) -> alt.InlineData:
    return alt.InlineData(values=[{"day": day.isoformat()} for day in days])


def stacked_days(title: str, days: Sequence[Item], most: int, first: date, last: date) -> Markup:
    """Bars by `day`: `count` of each `kind`, `most` in the highest bar."""
    kinds = list(dict.fromkeys(item["kind"] for item in days))
    x = alt.X(
        "day:T",
        scale=alt.Scale(type="utc", domain=[first.isoformat(), last.isoformat()], padding=8),
        axis=_date_axis("day", first, last),
    )
    whole_numbers = alt.Scale(domain=[0, max(most, 4)])
    y = alt.Y("count:Q", scale=whole_numbers, axis=alt.Axis(title="results", tickCount=4, format="d"))
    color = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=kinds, range=[WORSE, SERIES]),
        legend=alt.Legend(title=None, orient="top", symbolType="square"),
    )
    bars = alt.Chart(alt.InlineData(values=list(days))).mark_bar(width=8).encode(x=x, y=y, color=color)
    return _svg(title, bars, 150)


def _base(rows: list[Item]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=rows)).encode(y=alt.Y("place:O", axis=None))


def _labels(base: alt.Chart, limit: int, color: Any) -> list[alt.Chart]:
    """The name on the left, the `figures` on the right, what is `below` the name under it."""
    left, right = alt.value(0), alt.value(WIDTH)
    return [
        base.mark_text(align="left", dy=NAMES, limit=limit, fontSize=13, fontWeight=600, color=INK).encode(
            x=left, text="name:N"
        ),
        base.mark_text(align="right", dy=NAMES, fontSize=13, fontWeight=600).encode(
            x=right, text="figures:N", color=color
        ),
        base.mark_text(align="left", dy=BELOW, limit=LONGEST, fontSize=11, color=MUTED).encode(
            x=left, text="below:N"
        ),
        base.mark_text(align="right", dy=BELOW, fontSize=11, color=MUTED).encode(x=right, text="more:N"),
    ]


def _tones(verdict: str) -> Item:
    return {"tone": TONES.get(verdict, MUTED), "ink": TONES.get(verdict, INK)}


def _tone(field: str = "tone:N") -> Any:
    return alt.Color(field, scale=None)


def _whole() -> alt.Scale:
    return alt.Scale(domain=[0, 1])


def _percent_axis(title: str, **more: Any) -> alt.Axis:
    return alt.Axis(title=title, labelExpr=PERCENT, **({"tickCount": 5} | more))


def _date_axis(title: str, first: date, last: date) -> alt.Axis:
    """About five dates, none twice."""
    days = (last - first).days
    if days < 45:
        ticks, text = alt.TimeIntervalStep(interval="day", step=max(1, days // 5)), "%-d %b"
    else:
        months = 1 if days < 200 else 3 if days < 400 else 6
        ticks, text = alt.TimeIntervalStep(interval="month", step=months), "%b %Y"
    return alt.Axis(title=f"{title}, UTC", format=text, tickCount=ticks, labelOverlap=True, grid=False)


def _svg(title: str, chart: Any, height: int) -> Markup:
    """The drawing without its frame's size and colours: the page says how wide and on what."""
    styled = chart.properties(width=WIDTH, height=height, background="transparent", padding=4).configure(
        aria=False,
        font="sans-serif",
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor=MUTED,
            titleColor=MUTED,
            titleFontWeight="normal",
            gridColor=GRID,
            domainColor=GRID,
            tickColor=GRID,
            labelFontSize=11,
            titleFontSize=11,
        ),
        legend=alt.LegendConfig(labelColor=INK, labelFontSize=12),
    )
    svg = vl_convert.vegalite_to_svg(styled.to_dict(), allowed_base_urls=[])
    size = re.match(r'<svg [^>]*viewBox="([^"]+)"[^>]*>', svg)
    if size is None:
        raise RuntimeError("The drawing is not SVG.")
    opened = Markup('<svg viewBox="{}" role="img" aria-label="{}">').format(size[1], title)
    return opened + Markup(svg[size.end() :])  # noqa: S704 - Vega escapes the text that it draws
