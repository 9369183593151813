"""Sets a Prefect server up from one reviewed file: `python -m infra.setup --help`.

`environment.py` is the file, `fields.py` decides what differs and who changed it, `kinds/` has one
module for each kind of object on the server, `execution.py` does what was decided.
"""
