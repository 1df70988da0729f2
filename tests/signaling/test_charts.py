"""Charts draw what is there, and nothing where something is hidden."""

from __future__ import annotations

from signaling.charts import Bar, bars, line, top


def test_a_line_is_broken_where_a_value_is_missing() -> None:
    assert line([0, 10, None, 5], 10) == "M12.50 100.00L37.50 0.00M81.25 50.00L93.75 50.00"
    assert line([None, None], 10) == line([], 10) == ""


def test_bars_stand_where_their_values_are() -> None:
    assert bars([None, 0.25]) == [Bar(x=57.5, y=75.0, width=35.0, height=25.0)]


def test_a_scale_ends_at_a_number_people_know() -> None:
    assert top([None, 31, 7]) == 60
    assert top([None]) == top([]) == 5
    assert top([4000]) == 4000
