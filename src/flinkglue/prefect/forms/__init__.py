"""Flows as forms: what a page shows of their parameters, and where parameters of before are now.

Start with `form_flow.py`.
"""
