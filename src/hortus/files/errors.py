"""Errors of uploads, files and their links."""

from hortus.core.errors import Forbidden, NotFound, Problem


class NotMedia(Exception):
    """The content is not an image or video that decodes."""


class FileNotFound(NotFound):
    """No such file, or not yours."""

    code = "file_not_found"
    detail = "There is no such file, or it is not yours."


class EmptyFile(Problem):
    """Zero bytes."""

    code, status, title = "empty_file", 422, "The file is empty"
    detail = "Choose a file with something in it."


class FileTooLarge(Problem):
    """More bytes than allowed."""

    code, status, title = "file_too_large", 413, "The file is too large"
    detail = "Upload a smaller file."


class UnsupportedFileType(Problem):
    """The content is of a type that is not accepted. The file name does not count."""

    code, status, title = "unsupported_file_type", 415, "This type of file is not accepted"
    detail = "Upload a JPEG, PNG, WebP or GIF image. The content counts, not the name."


class DamagedImage(Problem):
    """The content has the signature of an image and cannot be decoded."""

    code, status, title = "damaged_image", 422, "The image is damaged"
    detail = "The image could not be decoded. Export it again and retry."


class TooManyPixels(Problem):
    """More pixels than allowed."""

    code, status, title = "too_many_pixels", 422, "The image has too many pixels"
    detail = "Scale the image down and upload it again."


class LinkExpired(Forbidden):
    """The signed link has expired."""

    code, title = "link_expired", "This link has expired"
    detail = "Fetch the file or generation again for a fresh link."
