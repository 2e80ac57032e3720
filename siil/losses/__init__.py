"""The terms of the loss, one file each, and total, which weighs them by name.

Lives here: segmentation (O_R, O_S, R~, S~), localisation (L), presence (C), contrastive (M): functions of an output
and its labels; landmarks, of sacrum and ribs; second_look, of the second look's logits.
Comes in: stages, whose train hands the total to training, and training (engine, refining). Goes out: to
model, for what its output is called, and to config.
"""
