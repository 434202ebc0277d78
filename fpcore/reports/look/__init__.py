"""The report of a look at trained models: face of its sections and of its files."""

from fpcore.reports.look.answer import *
from fpcore.reports.look.conversation import *
from fpcore.reports.look.report import *
from fpcore.reports.look.sections import *
