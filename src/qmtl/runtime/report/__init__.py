"""A run as one HTML file that a person wants to look at."""

from qmtl.runtime.report.data import Correction, DagNode, Output, ReportData, SharingRow, Source
from qmtl.runtime.report.page import render

__all__ = ["Correction", "DagNode", "Output", "ReportData", "SharingRow", "Source", "render"]
