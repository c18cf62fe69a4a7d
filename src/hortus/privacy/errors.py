"""What may go wrong for somebody who asks for their data."""

from hortus.core.errors import NotFound, Problem


class NoDataExport(NotFound):
    """Nobody asked for an archive, or it is gone."""

    code = "no_data_export"
    detail = "There is no archive of your data. Ask for one at POST /api/user/data-export."


class ExportLinkExpired(Problem):
    """The signed link ran out."""

    code, status, title = "export_link_expired", 410, "This link has expired"
    detail = "GET /api/user/data-export gives a fresh one while the archive is kept."
