"""A judgement as JUnit XML, which CI servers show beside the tests of the code."""

from xml.etree import ElementTree

from cekura_sync.console.terminal import plain
from cekura_sync.gate.judge import UNDECIDED, WORSE, Agent, Judgement
from cekura_sync.gate.question import Question
from cekura_sync.gate.table import failed_runs, scenario_name
from cekura_sync.gate.wording import sentence


def junit(judgement: Judgement, question: Question) -> str:
    """One test case for each agent; one that got worse has a failure, one that cannot be judged an error."""
    suite = ElementTree.Element(
        "testsuite",
        name="cekura-sync gate",
        tests=str(len(judgement.agents)),
        failures=str(len(judgement.with_outcome(WORSE))),
        errors=str(len(judgement.with_outcome(UNDECIDED))),
    )
    for agent in judgement.agents:
        _case(suite, agent, question)
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"
    )


def _case(suite: ElementTree.Element, agent: Agent, question: Question) -> None:
    name = plain(agent.name)
    case = ElementTree.SubElement(
        suite, "testcase", classname="cekura-sync gate", name=f"{name} ({agent.figures['agent_id']})"
    )
    tag = {WORSE: "failure", UNDECIDED: "error"}.get(agent.outcome, "system-out")
    said = plain(sentence(agent, question))
    told = ElementTree.SubElement(case, tag)
    if tag == "system-out":
        told.text = said
        return
    told.set("message", said)
    told.text = "\n".join([said, *(plain(_line(scenario)) for scenario in agent.scenarios)])


def _line(scenario: dict[str, object]) -> str:
    before = scenario["baseline_pass_rate"]
    rates = f"{scenario['pass_rate']:.3f}" + (f" after {before:.3f}" if before is not None else "")
    return f"{scenario_name(scenario)}: {rates}; failed runs {failed_runs(scenario)}"
