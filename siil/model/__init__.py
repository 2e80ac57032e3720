"""The network: siil.py beside the paper's figure, a file for each of its blocks, baselines, and the weights files.

Lives here: siil and its blocks (encoder, tokens, attention, mill, ocpl with recurrent, decoder, output), baselines,
network (what all share), build (the one that sees the configuration), second_look (the small network of the second
look), weights and tensor_file (what a weights file is).
Comes in: losses, inference, training and stages. Goes out: to config's schema and run.
"""
