"""The report of the baselines: its tables, its sentences, and the whole report."""

from fpcore.analysis.parameter_count import trained_parameters as trained_parameters
from fpcore.reports.baselines.caveats import *
from fpcore.reports.baselines.report import *
from fpcore.reports.baselines.standing import *
from fpcore.reports.baselines.tables import *
