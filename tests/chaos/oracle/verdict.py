"""The fourth pass (DESIGN 7 and 9): how each clock ended, who answers for it, ratings, classes, rulings."""
from __future__ import annotations

from case import Case, Custody, Round
from clocks import Clock
from rulebook import Rulebook

OFFICE_FAMILIES = ("dispatch", "review", "follow_up")


def classify(rulebook: Rulebook, case: Case) -> str:
    """One value a case, judged on its first round: the first class of which every condition holds."""
    round_ = case.rounds[0]
    attributes = case.of_round(round_)
    outcome = round_.closing.fact.data.get("outcome", "") if round_.closing else ""
    for class_ in rulebook.classes:
        when = class_.get("when", {})
        fits = True
        for key, wanted in when.items():
            if key == "dispatched":
                fits = bool(round_.custodies) == wanted
            elif key == "tags":
                fits = bool(set(wanted if isinstance(wanted, list) else [wanted]) & set(attributes.tags))
            else:
                value = outcome if key == "outcome" else getattr(attributes, key)
                fits = value in wanted if isinstance(wanted, list) else value == wanted
            if not fits:
                break
        if fits:
            return class_["id"]
    return "ordinary"


def who_closed(round_: Round) -> str:
    """The department the closing names, else the lead at that instant."""
    closing = round_.closing
    return closing.fact.data.get("department") or (closing.lead.department if closing.lead else "-")


def department_of_round(round_: Round) -> str:
    """Ratings, outcomes, sums: who closed that round; while it is open the current lead."""
    if not round_.is_open:
        return who_closed(round_)
    return name_of(round_.lead())


def name_of(custody: Custody | None) -> str:
    return custody.department if custody else "-"


def judge(case: Case, clock: Clock, as_of: int) -> None:
    """met, late, void, left_late, or open in one of four ways."""
    due = clock.due
    if clock.stopped:
        in_time = due is None or due.in_time(clock.end_at, clock.end_day)
        clock.state = "met" if in_time else "late"
    elif clock.end_at is not None:
        in_time = due is None or due.in_time(clock.end_at, clock.end_day) or _submitted_in_time(clock)
        clock.state = "void" if in_time else "left_late"
    else:
        clock.state = _open_state(clock, as_of)
    clock.department = charge(case, clock)


def _submitted_in_time(clock: Clock) -> bool:
    """While under review, if submitted in time, a clock is neither late nor due."""
    review, due = clock.review, clock.due
    return review is not None and (due is None or due.in_time(review.at, review.day))


def _open_state(clock: Clock, as_of: int) -> str:
    due = clock.due
    if _submitted_in_time(clock):
        return "open_in_review"
    if due is not None and not due.in_time(as_of):
        return "open_overdue"
    if due is None or any(hold.begin <= as_of and (hold.end is None or as_of < hold.end) for hold in clock.holds):
        return "open_held"
    return "open_running"


def charge(case: Case, clock: Clock) -> str:
    """A custody clock: its custody. A case clock: in time, who closed; late, by the policy; open, the current lead."""
    policy, round_ = clock.policy, clock.round
    if clock.custody is not None:
        return clock.custody.department
    if policy.family in OFFICE_FAMILIES:
        return case.office
    if clock.state.startswith("open"):
        return name_of(round_.lead())
    if clock.state in ("met", "void"):
        return department_of_round(round_)
    if policy.charge == "holder_at_due":
        return name_of(round_.lead_just_before(clock.due.at))
    if policy.charge == "first":
        return name_of(next(iter(round_.leads()), None))
    if policy.charge == "office":
        return case.office
    return department_of_round(round_)


def rating_of(case: Case, round_: Round) -> tuple[str, object]:
    """Exactly one outcome a closed round, and the rating it comes from: the last answered, else the last."""
    if not round_.ratings:
        data = case.received.data
        required = not data.get("anonymous", False) and data.get("reply_wanted", True)
        return ("not_asked" if required else "not_required"), None
    answered = [rating for rating in round_.ratings if _outcome(rating.data).isdigit()]
    chosen = answered[-1] if answered else round_.ratings[-1]
    return _outcome(chosen.data), chosen


def solved_of(round_: Round) -> str | None:
    """Whether it was solved, by the last rating that says so."""
    said = [rating.data["solved"] for rating in round_.ratings if rating.data.get("solved") is not None
            and rating.data["reached"] and rating.data.get("method") != "default"]
    return said[-1] if said else None


def _outcome(data: dict) -> str:
    if data.get("method") == "default":
        return "default"
    if not data["reached"]:
        return "unreached"
    if data.get("satisfaction") is None:
        return "unanswered"
    return str(data["satisfaction"])


def ruling_on(case: Case, indicators: tuple[str, ...], round_: Round, department: str) -> str | None:
    """What was decided last on one of these indicators; `restore` takes the decision back."""
    effect = None
    for ruling in case.rulings:
        data = ruling.data
        if data["indicator"] not in (*indicators, "all"):
            continue
        if data.get("round") not in (None, round_.number) or data.get("department") not in (None, department):
            continue
        effect = None if data["effect"] == "restore" else data["effect"]
    return effect
