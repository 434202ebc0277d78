"""The report of a search: its answer by rule, its tables, and the whole report."""

from fpcore.reports.search.report import *
