"""One module for each kind of object on a Prefect server; `kind.py` says what each has to do."""
