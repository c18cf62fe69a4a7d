"""What can be wrong with a file."""

from hortus.core.errors import Forbidden, NotFound, Problem


class NotMedia(Exception):
    """What a provider delivered is not the image or video it was said to be."""


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
    """The content is of a type that is not accepted, whatever its name says."""

    code, status, title = "unsupported_file_type", 415, "This type of file is not accepted"
    detail = "Upload a JPEG, PNG, WebP or GIF image. The content counts, not the name."


class DamagedImage(Problem):
    """It looks like an image and cannot be decoded."""

    code, status, title = "damaged_image", 422, "The image is damaged"
    detail = "The image could not be decoded. Export it again and retry."


class TooManyPixels(Problem):
    """More pixels than allowed."""

    code, status, title = "too_many_pixels", 422, "The image has too many pixels"
    detail = "Scale the image down and upload it again."


class LinkExpired(Forbidden):
    """The signed link ran out."""

    code, title = "link_expired", "This link has expired"
    detail = "Fetch the file or generation again for a fresh link."
