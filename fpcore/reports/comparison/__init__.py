"""The comparison of two runs: its sections, and the whole report."""

from fpcore.reports.comparison.conclusions import *
from fpcore.reports.comparison.effects import *
from fpcore.reports.comparison.opening import *
from fpcore.reports.comparison.raw_data import *
from fpcore.reports.comparison.report import *
from fpcore.reports.comparison.sections import *
