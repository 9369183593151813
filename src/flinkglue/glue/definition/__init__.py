"""A Glue job as code: its definition in a document, its script in a file.

Read ``document`` for what a definition is, ``changes`` for what differs from the job in the
account, ``deploy`` for the order in which it is written. ``script_store`` keeps scripts by their
content.
"""
