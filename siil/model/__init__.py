"""The network: siil.py beside the paper's figure, a file for each of its blocks, baselines, and the weights file.

Lives here: siil and its blocks (encoder, tokens, attention, mill, ocpl with recurrent, decoder, output), baselines,
network (what all share), build (the one that sees the configuration), weights and release.
Comes in: losses, inference, training and stages. Goes out: to config's schema and run.
"""
