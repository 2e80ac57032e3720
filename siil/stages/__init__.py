"""One thin module for each verb: read, one pure call, write, record.

Lives here: the steps (fetch, index, preprocess, pap, split, train, refine, test, evaluate, aggregate, tables, figures,
report), the verbs beside them (adapt, audit, predict, relabel, check, score, trace, config), and in_process, which runs
the steps without a workflow.
Comes in: the doors of the hall (cli, trainer, tester). Goes out: to every other room.
"""
