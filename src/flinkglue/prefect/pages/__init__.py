"""What a person sees of a flow run: artifacts, events, progress. All of it is best effort.

`artifacts` writes one artifact per key; the other modules say what it shows, one for each subject.
"""
