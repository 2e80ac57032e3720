"""The network: siil.py beside the paper's figure, a file for each of its blocks, baselines, and the weights file.

Lives here: everything with parameters. Only build.py sees the configuration.
Comes in: losses, inference, training and stages. Goes out: to config's schema and run.
"""
