"""What a run leaves behind and needs; what every step uses and none owns.

Lives here: pipeline (the table of steps), provenance (run records and code digests), files (whole or absent),
swap (several files at once), tsv (every table that is read), checksums (lists of files), batch (many scans in one
process, or a few), processes, progress.
Comes in: everyone. Goes out: to nobody.
"""
