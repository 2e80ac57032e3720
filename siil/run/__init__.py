"""What a run leaves behind and needs: records, code digests, atomic files, batches, processes, progress, the steps.

Lives here: what every step uses and none owns. Comes in: everyone. Goes out: to siil.errors alone.
"""
