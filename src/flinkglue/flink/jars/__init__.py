"""Job jars: `sources` (where they come from), `packing` (scripts and Python programs as jars),
`uploaded` (jars in the cluster), `https_files` (downloads).
"""
