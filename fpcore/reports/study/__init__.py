"""The report of a study: its tables, its answer by rule, and the whole report."""

from fpcore.reports.study.report import *
