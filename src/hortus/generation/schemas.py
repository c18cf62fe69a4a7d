"""Bodies of requests and answers of generations."""

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, StringConstraints, model_validator

from hortus.core.schemas import Body, Id, MicroCredits, Time
from hortus.generation.sizes import LONGEST_VIDEO, SHORTEST_VIDEO
from hortus.routing import Tier

Prompt = Annotated[str, StringConstraints(min_length=1, max_length=20_000, strip_whitespace=True)]
Script = Annotated[str, StringConstraints(min_length=1, max_length=5_000, strip_whitespace=True)]
PixelSize = Annotated[str, StringConstraints(max_length=9, pattern=r"^[1-9][0-9]{1,3}x[1-9][0-9]{1,3}$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True)]
ModelId = Annotated[str, StringConstraints(min_length=1, max_length=80)]
VideoSeconds = Annotated[int, Field(ge=SHORTEST_VIDEO, le=LONGEST_VIDEO)]


def _square(value: Any) -> Any:
    return f"{value}x{value}" if isinstance(value, int) and not isinstance(value, bool) else value


ImageSize = Annotated[PixelSize, BeforeValidator(_square, json_schema_input_type=PixelSize)]
Kind = Literal["text", "chat", "image", "video"]
Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class TextIn(Body):
    """A request for text."""

    prompt: Prompt
    system: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    quality: Tier = "balanced"
    model: ModelId | None = None
    max_tokens: int = Field(1024, ge=1, le=8192)
    stream: bool = False


class EnhanceIn(Body):
    """A request for a better prompt."""

    prompt: Annotated[str, StringConstraints(min_length=1, max_length=4_000, strip_whitespace=True)]
    kind: Literal["text", "image", "video"] = "image"


class EnhanceOut(BaseModel):
    """A better prompt and why it is better."""

    prompt: str
    why: str
    generation_id: str | None = None


def _pixels(size: str) -> tuple[int, int]:
    width, height = size.split("x")
    return int(width), int(height)


class ImageIn(Body):
    """A request for images."""

    prompt: Annotated[str, StringConstraints(min_length=1, max_length=4_000, strip_whitespace=True)]
    style: Word | None = None
    color: Word | None = None
    size: ImageSize = Field(
        "1024x1024",
        validation_alias=AliasChoices("size", "image_size"),
        description="Width x height in pixels, each from 64 to 2048. Also read as `image_size`; a number is a square",
    )
    count: int = Field(1, ge=1, le=4)
    quality: Tier = "balanced"
    model: ModelId | None = None

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height."""
        return _pixels(self.size)

    @model_validator(mode="after")
    def _within_bounds(self) -> "ImageIn":
        if not all(64 <= side <= 2048 for side in self.pixels):
            raise ValueError("size: each side must be from 64 to 2048 pixels")
        return self


class ImageEditIn(Body):
    """Change an image of yours."""

    file_id: Id
    prompt: Annotated[str, StringConstraints(max_length=4_000)] = ""
    operation: Literal["restyle", "enhance", "upscale", "remove_background"] = "restyle"
    quality: Tier = "balanced"
    model: ModelId | None = None


class VideoIn(Body):
    """Photo + script is a talking photo; prompt alone is text-to-video."""

    photo_file_id: Id | None = None
    script: Script | None = None
    prompt: Annotated[str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True)] | None = None
    voice: Word | None = None
    language: Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    aspect_ratio: Literal["16:9", "9:16", "1:1"] = "16:9"
    duration_s: VideoSeconds | None = Field(
        None, description="Of a video from a prompt; 6 without it. A talking photo lasts as long as its script"
    )
    quality: Tier = "balanced"
    model: ModelId | None = None

    @model_validator(mode="after")
    def _complete(self) -> "VideoIn":
        if (self.photo_file_id is None) != (self.script is None):
            raise ValueError("a talking photo needs both photo_file_id and script")
        if self.photo_file_id is None and self.prompt is None:
            raise ValueError("send photo_file_id and script, or a prompt")
        return self

    @property
    def operation(self) -> Literal["video.talking_photo", "video.text"]:
        """The operation: a talking photo or a video from a prompt."""
        return "video.talking_photo" if self.photo_file_id else "video.text"


class QuoteIn(Body):
    """A request for price and time. Name a kind and the inputs that its price depends on."""

    kind: Literal["text", "chat", "image", "video"]
    prompt: Annotated[str, StringConstraints(max_length=20_000)] = ""
    script: Annotated[str, StringConstraints(max_length=5_000)] | None = None
    system: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    operation: Literal["generate", "restyle", "enhance", "upscale", "remove_background"] = "generate"
    size: PixelSize = Field("1024x1024", description="Of the image: the one to make, or the one to edit")
    file_id: Id | None = Field(None, description="The image to edit, in place of its `size`")
    count: int = Field(1, ge=1, le=4)
    duration_s: VideoSeconds | None = None
    max_tokens: int = Field(1024, ge=1, le=8192)
    quality: Tier = "balanced"
    model: ModelId | None = None

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height."""
        return _pixels(self.size)


class QuoteOut(BaseModel):
    """The price that would be frozen, who would serve, and the time it would take."""

    price_credits: MicroCredits
    provider: str
    model: str
    duration_s: int | None = Field(description="Length of the video, estimated: the time in which the script is spoken")
    p50_seconds: float
    p95_seconds: float
    measured: int = Field(description="How many runs the times are measured from; 0 means the catalogue's figure")
    fallbacks: list[str]


class OutputOut(BaseModel):
    """One finished file; `url` is signed and short-lived."""

    file_id: str
    url: str
    mime_type: str
    bytes: int
    width: int | None
    height: int | None
    duration_s: float | None


class AttemptOut(BaseModel):
    """One try at one offer."""

    provider: str
    model: str
    status: str
    ms: int
    code: str | None


class UsageOut(BaseModel):
    """Tokens used. Text and chat are charged by them."""

    input_tokens: int
    output_tokens: int
    finish: str = Field(
        description="stop, length where `max_tokens` was reached, stopped where the customer stopped it"
    )
    estimated: bool = Field(
        False, description="True where the provider reported no usage: then a token is three bytes of UTF-8"
    )


class ErrorOut(BaseModel):
    """Why it failed."""

    code: str
    detail: str


class GenerationOut(BaseModel):
    """One paid request and its result."""

    id: str
    kind: Kind
    operation: str
    status: Status
    progress: int
    quality: str
    provider: str | None
    model: str
    price_credits: MicroCredits = Field(description="The quoted price, held until the end: the most that is charged")
    charged_credits: MicroCredits | None = Field(
        description="The charge: text and chat by usage, other kinds the price, nothing where it failed. "
        "Null until the end"
    )
    prompt: str
    created_at: Time
    finished_at: Time | None
    outputs: list[OutputOut]
    text: str | None
    usage: UsageOut | None
    attempts: list[AttemptOut]
    error: ErrorOut | None


class TextOut(BaseModel):
    """The text and its usage."""

    id: str
    generation_id: str
    text: str
    usage: UsageOut | None
    provider: str | None
    model: str
    price_credits: MicroCredits
    charged_credits: MicroCredits | None


class DownloadOut(BaseModel):
    """Where the first output can be fetched."""

    url: str


class ModelOut(BaseModel):
    """One model as offered now."""

    id: str
    title: str
    kinds: list[str]
    operations: list[str]
    quality: str
    sketch: bool
    available: bool
    price: dict[str, MicroCredits]
