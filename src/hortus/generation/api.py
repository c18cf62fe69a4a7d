"""Routes of generations: `/api/text`, `/image`, `/video`, `/prompt`, `/generations`, `/models`."""

from contextlib import suppress
from typing import Annotated, Any, cast, get_args

from fastapi import Header, Query, Request
from fastapi.responses import JSONResponse, Response

from hortus import files, routing
from hortus.auth import Caller, require_scope
from hortus.core import idempotency
from hortus.core.db import Database, Tx
from hortus.core.db.paging import Page
from hortus.core.idempotency import IdempotentResponse
from hortus.core.resources import Resources
from hortus.core.schemas import Id
from hortus.core.settings import Settings
from hortus.core.web.deps import AllResources, IdempotencyHeader, PageParams, ReadTx, replayable_response
from hortus.core.web.openapi import event_data, event_stream, make_router, open_to_keys, shape_of
from hortus.core.web.sse import FINAL_ID, EventStream, last_event_id
from hortus.generation import build, cancellation, enhance, service, stream
from hortus.generation.batches import Submission
from hortus.generation.build import choose_route
from hortus.generation.errors import DETAILS, AlreadyEnded, GenerationFailed, NothingToDownload, PromptRefused
from hortus.generation.rate_limits import limit_basic
from hortus.generation.schemas import (
    EnhanceIn,
    EnhanceOut,
    GenerationOut,
    ImageEditIn,
    ImageIn,
    Kind,
    ModelOut,
    QuoteIn,
    QuoteOut,
    Status,
    TextIn,
    TextOut,
    VideoIn,
)
from hortus.generation.serialize import generation_out, quote_out, text_out
from hortus.generation.service import GenerationRequest
from hortus.generation.sizes import accepted_size
from hortus.generation.state import GenerationState
from hortus.generation.tables import LIVE, Generation
from hortus.providers import Registry
from hortus.routing import Catalog, OfferHealth
from hortus.storage import Storage

router = make_router("/api")
FOR_KEYS = open_to_keys("generations", *get_args(Kind))
"""Keys for one kind see and stop generations of that kind; keys for `generations`, of every kind."""
EVENTS = event_stream(
    progress=event_data(generation_id="string", progress="integer"),
    delta=event_data(generation_id="string", text="string"),
    restart=event_data(generation_id="string"),
    done=shape_of(GenerationOut),
    error=shape_of(GenerationOut),
)
LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=30)]


# Text ------------------------------------------------------------------------


async def _make_text(
    resources: Resources, work: GenerationRequest, claim: idempotency.Claim | None
) -> tuple[Generation, bool]:
    """The ended generation, and whether the request was a repeat. Raises the reason why there is no text."""
    started = await resources[GenerationState].batches.start_text(Submission(work, claim))
    if started.task is not None:
        await stream.work_inline(resources, started.task)
    generation = await stream.wait_ended(resources, work.user_id, started.generation_id)
    if generation.status != "succeeded" and generation.text is None:
        code = generation.error_code or generation.status
        if code == "not_offered":
            raise routing.NothingOffered(DETAILS[code], generation_id=generation.id)
        kind = GenerationFailed if code in ("unavailable", "interrupted", "cancelled") else PromptRefused
        raise kind(DETAILS.get(code), generation_id=generation.id, reason=code)
    return generation, started.task is None


@router.post(
    "/text/generate",
    tags=["text"],
    response_model=TextOut,
    responses={200: {**EVENTS, "description": "The text; with `stream: true` server-sent events"}},
    openapi_extra=open_to_keys("text"),
)
async def generate_text(body: TextIn, caller: Caller, resources: AllResources, once: IdempotencyHeader) -> Response:
    """Text for a prompt: at once, or with `stream: true` as server-sent events while it is written."""
    work = build.build_text_request(resources, caller, body)
    claim = once.claim(caller.user_id, body)
    if body.stream:
        started = await resources[GenerationState].batches.start_text(Submission(work, claim))
        if started.task is None:
            return EventStream(stream.follow(resources, caller.user_id, started.generation_id, 0), caller)
        return EventStream(stream.stream_inline(resources, started.task, caller.user_id), caller)
    generation, repeated = await _make_text(resources, work, claim)
    shown = text_out(generation).model_dump(mode="json")
    return replayable_response(IdempotentResponse(200, shown, replayed=repeated))


@router.post("/prompt/enhance", tags=["text"], response_model=EnhanceOut, openapi_extra=open_to_keys("text"))
async def enhance_prompt(
    body: EnhanceIn, caller: Caller, resources: AllResources, once: IdempotencyHeader
) -> JSONResponse:
    """A better prompt and why. By rules and free of charge where no text model is configured."""
    text = TextIn(prompt=body.prompt, system=enhance.SYSTEM.format(kind=body.kind), max_tokens=400)
    work = build.build_text_request(resources, caller, text)
    if work.route.choices[0].model.sketch:
        return JSONResponse(enhance.enhance_by_rules(body.prompt, body.kind).model_dump(mode="json"))
    generation, repeated = await _make_text(resources, work, once.claim(caller.user_id, body))
    better = enhance.split_answer(generation.text or "").model_copy(update={"generation_id": generation.id})
    return replayable_response(IdempotentResponse(200, better.model_dump(mode="json"), replayed=repeated))


# Images and videos ---------------------------------------------------------


async def _accept(resources: Resources, work: GenerationRequest, claim: idempotency.Claim | None) -> JSONResponse:
    answer = await resources[GenerationState].batches.submit(Submission(work, claim))
    return replayable_response(answer, Location=f"/api/generations/{work.id}")


@router.post(
    "/image/generate",
    status_code=202,
    tags=["image"],
    response_model=GenerationOut,
    openapi_extra=open_to_keys("image"),
)
async def generate_image(
    body: ImageIn, caller: Caller, request: Request, resources: AllResources, once: IdempotencyHeader
) -> JSONResponse:
    """Images for a prompt, made in the background."""
    await limit_basic(request, caller.user_id, "image")
    work = build.build_image_request(resources, caller, body)
    return await _accept(resources, work, once.claim(caller.user_id, body))


@router.post(
    "/image/edit", status_code=202, tags=["image"], response_model=GenerationOut, openapi_extra=open_to_keys("image")
)
async def edit_image(
    body: ImageEditIn, caller: Caller, request: Request, resources: AllResources, once: IdempotencyHeader
) -> JSONResponse:
    """Restyle, enhance, upscale, or remove the background of an image of yours."""
    await limit_basic(request, caller.user_id, "image")
    async with resources[Database].snapshot() as tx:
        work = await build.build_edit_request(tx, resources, caller, body)
    return await _accept(resources, work, once.claim(caller.user_id, body))


@router.post(
    "/video/generate",
    status_code=202,
    tags=["video"],
    response_model=GenerationOut,
    openapi_extra=open_to_keys("video"),
)
async def generate_video(
    body: VideoIn, caller: Caller, request: Request, resources: AllResources, once: IdempotencyHeader
) -> JSONResponse:
    """A talking photo from `photo_file_id` and `script`, or a video from a prompt alone."""
    await limit_basic(request, caller.user_id, "video")
    async with resources[Database].snapshot() as tx:
        work = await build.build_video_request(tx, resources, caller, body)
    return await _accept(resources, work, once.claim(caller.user_id, body))


# One resource for all kinds --------------------------------------------------


@router.post("/generations/quote", tags=["generations"], openapi_extra=FOR_KEYS)
async def quote(body: QuoteIn, caller: Caller, resources: AllResources) -> QuoteOut:
    """Price and time of a request before it is sent, both by its size. Nothing is reserved.

    A generation with the same inputs has the quoted price. `chat` is the first message of a room; later ones
    also pay for the conversation that is sent along: POST /api/chatroom/{room_id}/quote.
    """
    async with resources[Database].snapshot() as tx:
        operation, size = await build.quote_size(tx, caller.user_id, body)
    route = choose_route(resources, caller, operation, body.quality, body.model, size)
    return quote_out(resources, route)


async def _page(
    tx: Any,
    resources: Resources,
    user_id: str,
    paging: Any,
    kind: str | None,
    status: str | None,
    words: str | None = None,
) -> Page[GenerationOut]:
    page = await service.find_all(tx, user_id, paging, kind=kind, status=status, words=words)
    settings = resources[Settings]
    return Page(items=[generation_out(row, settings) for row in page.items], next_cursor=page.next_cursor)


async def _found(tx: Tx, caller: Caller, generation_id: str) -> Generation:
    """The caller's generation, of a kind that their key is for."""
    found = await service.find(tx, caller.user_id, generation_id)
    require_scope(caller, "generations", found.kind)
    return found


@router.get("/generations", tags=["generations"], openapi_extra=open_to_keys("generations"))
async def list_generations(
    caller: Caller,
    tx: ReadTx,
    resources: AllResources,
    paging: PageParams,
    kind: Annotated[Kind | None, Query()] = None,
    status: Annotated[Status | None, Query()] = None,
    q: Annotated[str | None, Query(max_length=80, pattern=r"^[^\x00]*$")] = None,
) -> Page[GenerationOut]:
    """Your generations, newest first. `q` searches in the prompts of all kinds but chat."""
    return await _page(tx, resources, caller.user_id, paging, kind, status, q)


@router.get("/video/list", tags=["video"], openapi_extra=open_to_keys("video"))
async def list_videos(caller: Caller, tx: ReadTx, resources: AllResources, paging: PageParams) -> Page[GenerationOut]:
    """Your videos, newest first."""
    return await _page(tx, resources, caller.user_id, paging, "video", None)


@router.get("/generations/{generation_id}", tags=["generations"], openapi_extra=FOR_KEYS)
@router.get(
    "/video/details/{generation_id}", tags=["video"], operation_id="video_details", openapi_extra=open_to_keys("video")
)
@router.get(
    "/video/status/{generation_id}", tags=["video"], operation_id="video_status", openapi_extra=open_to_keys("video")
)
async def read_generation(generation_id: Id, caller: Caller, tx: ReadTx, resources: AllResources) -> GenerationOut:
    """One generation with its attempts, price and outputs."""
    return generation_out(await _found(tx, caller, generation_id), resources[Settings])


@router.get(
    "/generations/{generation_id}/events",
    tags=["generations"],
    response_class=EventStream,
    responses={200: EVENTS, 204: {"description": "It has ended, and `Last-Event-ID` is the id of the last event"}},
    openapi_extra=FOR_KEYS,
)
async def follow_generation(
    generation_id: Id, caller: Caller, resources: AllResources, last: LastEventId = None
) -> Response:
    """Progress and text as server-sent events until the end; resumes by `Last-Event-ID`."""
    async with resources[Database].snapshot() as tx:
        found = await _found(tx, caller, generation_id)
    after = last_event_id(last)
    if after >= FINAL_ID:
        if found.status not in LIVE:
            return Response(status_code=204)
        after = 0  # not an id of this stream: it has not ended
    return EventStream(stream.follow(resources, caller.user_id, generation_id, after), caller)


@router.get(
    "/generations/{generation_id}/download",
    tags=["generations"],
    response_class=Response,
    openapi_extra=FOR_KEYS,
)
@router.get(
    "/video/download/{generation_id}",
    tags=["video"],
    response_class=Response,
    operation_id="video_download",
    openapi_extra=open_to_keys("video"),
)
async def download(
    generation_id: Id,
    caller: Caller,
    request: Request,
    resources: AllResources,
    output: Annotated[int, Query(ge=0, le=3)] = 0,
) -> Response:
    """The bytes of an output, as an attachment."""
    async with resources[Database].snapshot() as tx:
        found = await _found(tx, caller, generation_id)
        if len(found.outputs) <= output:
            raise NothingToDownload(status_now=found.status)
        row = await files.find(tx, caller.user_id, found.outputs[output]["file_id"])
    return files.serve(request, resources[Storage], row, download=True)


@router.post("/generations/{generation_id}/cancel", tags=["generations"], openapi_extra=FOR_KEYS)
async def cancel(generation_id: Id, caller: Caller, resources: AllResources) -> GenerationOut:
    """Stop it. 409 once it has ended.

    Nothing is charged before the first content; afterwards text and chat are charged for the input and what was
    delivered, which stays in `text`. Images and videos that are stopped cost nothing.
    """
    async with resources[Database].snapshot() as tx:
        await _found(tx, caller, generation_id)
    found = await cancellation.stop(resources, caller.user_id, generation_id)
    return generation_out(found, resources[Settings])


@router.post(
    "/generations/{generation_id}/retry",
    status_code=202,
    tags=["generations"],
    response_model=GenerationOut,
    openapi_extra=FOR_KEYS,
)
@router.post(
    "/video/retry/{generation_id}",
    status_code=202,
    tags=["video"],
    operation_id="video_retry",
    response_model=GenerationOut,
    openapi_extra=open_to_keys("video"),
)
async def retry(generation_id: Id, caller: Caller, resources: AllResources, once: IdempotencyHeader) -> JSONResponse:
    """The same request again, as a new generation at today's price.

    One retry of a generation runs at a time: 409 `retry_running` names it.
    """
    async with resources[Database].snapshot() as tx:
        old = await service.retryable(tx, caller.user_id, generation_id)
    require_scope(caller, old.kind)
    work = build.build_retry_request(resources, caller, old, accepted_size(old.operation, old.prompt, old.params))
    return await _accept(resources, work, once.claim(caller.user_id, generation_id))


@router.delete("/generations/{generation_id}", status_code=204, tags=["generations"], openapi_extra=FOR_KEYS)
async def delete(generation_id: Id, caller: Caller, resources: AllResources) -> None:
    """Delete it and its files; a live one is cancelled first, and charged as when it is cancelled."""
    async with resources[Database].snapshot() as tx:
        await _found(tx, caller, generation_id)
    with suppress(AlreadyEnded):
        await cancellation.stop(resources, caller.user_id, generation_id)
    async with resources[Database].transaction() as tx:
        file_ids = await service.delete(tx, caller.user_id, generation_id)
        if file_ids:
            await files.delete(tx, caller.user_id, file_ids)


# Models ----------------------------------------------------------------------


@router.get("/models", tags=["generations"], openapi_extra=FOR_KEYS)
async def list_models(caller: Caller, resources: AllResources) -> dict[str, Any]:
    """Every model of this installation's catalogue that is offered now, with its price."""
    health = resources[OfferHealth]
    offered: dict[str, ModelOut] = {}
    for each in routing.offer_statuses(resources[Catalog], resources[Registry], health=health):
        if each.reason is not None:
            continue
        model = each.model
        open_now = health.state(each.offer.provider, each.offer.model) == "open"
        known = offered.get(model.id)
        offered[model.id] = ModelOut(
            id=model.id,
            title=model.title,
            kinds=sorted({operation.partition(".")[0] for operation in model.operations}),
            operations=list(model.operations),
            quality=model.tier,
            sketch=model.sketch,
            available=not open_now or (known is not None and known.available),
            price={name: cast("int", value) for name, value in model.price.model_dump().items() if value},
        )
    dated = resources[Catalog].dated.isoformat()
    return {"dated": dated, "items": [model.model_dump(mode="json") for model in offered.values()]}
