"""A readable dump of one case: facts in order, custody, clocks with deadline and verdict."""
from __future__ import annotations

import decode
from admit import Fact, admit
from case import Round
from clocks import Clock
from instants import show_day
from rates import Fold, Folded
from rulebook import Rulebook


def show_case(rulebook: Rulebook, as_of: int, case_id: str, paths: list[str]) -> None:
    show = rulebook.zone.show
    seen = decode.read(paths, rulebook)
    events = list(seen.cases.get(case_id, {}).values())
    print(f"{case_id}: {len(events)} events, as of {show(as_of)}")
    for fact in admit(rulebook, events, as_of):
        print(_fact(rulebook, fact))
    folded = Fold(rulebook, as_of)(case_id, events)
    if folded is None:
        print("unregistered: counts nowhere")
        return
    case = folded.case
    print(f"class {case.class_}, latest {case.latest}")
    print(f"unexpected: {', '.join(f'{fact.kind} {show(fact.counted)}' for fact in case.unexpected) or 'none'}")
    for round_ in case.rounds:
        _show_round(rulebook, folded, round_)
    print("stands in the tallies:")
    for found in folded.score.found:
        days = " ".join(f"{basis}={show_day(day)}" for basis, day in sorted(found.days.items()))
        print(f"  {' '.join(found.names())}: {found.department}/{found.role} {found.value} {days}")


def _fact(rulebook: Rulebook, fact: Fact) -> str:
    show = rulebook.zone.show
    times = f"claimed {show(fact.claimed)}, received {show(fact.received)}"
    return f"  {show(fact.counted)} {fact.sequence} {fact.kind} {fact.data} ({times}) {' '.join(fact.flags)}"


def _show_round(rulebook: Rulebook, folded: Folded, round_: Round) -> None:
    show = rulebook.zone.show
    closing = f"{round_.closing.fact.kind} {show(round_.closed_at)}" if round_.closing else "open"
    print(f"round {round_.number}: {round_.opening.kind} {show(round_.opened_at)} to {closing}")
    for custody in round_.custodies:
        print(f"  custody {custody.department} {custody.role} from {custody.dispatched_from}: "
              f"{show(custody.begin)} to {show(custody.end)} {custody.ended or ''}")
    for clock in folded.clocks.found:
        if clock.round is round_:
            _show_clock(rulebook, clock)


def _show_clock(rulebook: Rulebook, clock: Clock) -> None:
    show = rulebook.zone.show
    due = f"due {show(clock.due.at)} on {show_day(clock.due.on)}" if clock.due else "no deadline"
    print(f"  clock {clock.stage} ({clock.policy.id}) of {clock.department}/{clock.role}: start {show(clock.start_at)}, "
          f"{due}, end {show(clock.end_at)}: {clock.state}")
    for hold in clock.holds:
        print(f"    held {show(hold.begin)} to {show(hold.end)}: {hold.reason}")
    for note in clock.notes:
        print(f"    {note}")
