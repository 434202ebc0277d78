"""Every figure: takes and returns axes, never saves."""

from fpcore.reports.figures.fixed_point import *
from fpcore.reports.figures.runs import *
from fpcore.reports.figures.search import *
from fpcore.reports.figures.style import *
