"""Every figure: takes and returns axes, never saves."""

from fpcore.reports.figures.described import *
from fpcore.reports.figures.fixed_point import *
from fpcore.reports.figures.look import *
from fpcore.reports.figures.pairs import *
from fpcore.reports.figures.picture import *
from fpcore.reports.figures.run_style import *
from fpcore.reports.figures.search import *
from fpcore.reports.figures.sizes import *
from fpcore.reports.figures.studies import *
from fpcore.reports.figures.style import *
from fpcore.reports.figures.ticks import *
from fpcore.reports.figures.traces import *
