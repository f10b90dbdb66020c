"""The release gate: has an agent got worse? It syncs, waits for results in flight, and compares.

question.py     what is asked: agents, which of their results, against which baseline, within which limits
judge.py        the queries of sql/gate, as rows
waiting.py      syncs and waits until no result that counts is in flight
wording.py      each outcome in a sentence
table.py, junit.py, markdown.py   the judgement for people, for CI servers and for a step's summary
"""
