"""What a run leaves behind and needs: records and code digests, atomic files, batches of scans, processes, progress, the table of steps.

Lives here: what every step uses and none owns. Comes in: everyone. Goes out: to siil.errors alone.
"""
