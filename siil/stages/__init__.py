"""One thin module for each verb: read, one pure call, write, record. in_process.py runs them all without a workflow.

Lives here: where paths become arrays, and arrays files.
Comes in: the doors of the hall (cli, trainer, tester). Goes out: to every other room.
"""
