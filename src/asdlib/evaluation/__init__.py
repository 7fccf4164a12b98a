"""Metrics, the evaluator, tables and reported figures."""
