"""The report of a diagnosis of the fixed point: face of its parts and of its files."""

from fpcore.reports.fixed_point.report import *
from fpcore.reports.fixed_point.sentences import *
from fpcore.reports.fixed_point.tables import *
