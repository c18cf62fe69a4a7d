"""Errors of data exports."""

from hortus.core.errors import NotFound, Problem


class NoDataExport(NotFound):
    """There is no archive, or it has expired."""

    code = "no_data_export"
    detail = "There is no archive of your data. Request one with POST /api/user/data-export."


class ExportLinkExpired(Problem):
    """The signed link has expired."""

    code, status, title = "export_link_expired", 410, "This link has expired"
    detail = "GET /api/user/data-export returns a new link while the archive is stored."
