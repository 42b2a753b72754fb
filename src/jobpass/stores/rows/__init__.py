"""Rows and records: the one place that knows in which form a value lies in a column, in every store on SQL.

Columns hold whole microseconds, signed serials, JSON texts. Names of queries are those of each store's ``queries.sql``.
"""
