from edgekit.planning.interactions import Evidence, shipped_interactions
from edgekit.planning.order_page import order_page

ROWS = shipped_interactions()


def test_each_answer_rests_on_rows_and_says_what_they_could_not_show() -> None:
    page = order_page()
    assert len(page.sections) == 6 and "95 % interval" in page.about
    codes = {row.code for row in ROWS}
    for section in page.sections:
        assert section.question.endswith("?") and section.answer.endswith(".") and section.limits.endswith(".")
        assert set(section.rows) <= codes
        assert {code for code, _ in section.evidence(ROWS)} == set(section.rows)


def test_a_question_is_one_line_with_the_answer_of_each_example() -> None:
    lines = dict(order_page().sections[0].evidence(ROWS))
    assert lines["EK115"] == (
        "QAT, then zeros, against zeros, then QAT: digits -0.60 (-1.29 to +0.09), undecided; spoken -8.07 (-12.41 to "
        "-3.72), worse"
    )


def test_a_projects_own_row_may_have_any_source() -> None:
    own = [
        row.copy_with(evidence=(Evidence(kind="measured", source="us", says="s", question="q", points=(-5, -7, -3)),))
        if row.code == "EK115"
        else row
        for row in ROWS
    ]
    assert dict(order_page().sections[0].evidence(tuple(own)))["EK115"] == "q: us -5.00 (-7.00 to -3.00), worse"
