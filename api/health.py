"""Is the process alive, and can it answer questions? For whoever restarts it or sends it work."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.wiring import Served

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="Is the process alive?")
def live() -> dict[str, Any]:
    """Answers as long as the process runs, whatever the store does."""
    return {"status": "live"}


@router.get("/ready", summary="Can it answer questions?")
def ready(service: Served) -> dict[str, Any]:
    """Reads from the store, sees that it can be written to, compares the model in force.

    503 says what is wrong, in one sentence.
    """
    service.check_ready()
    model = service.index.model
    return {
        "status": "ready",
        "model": f"{model.name} {model.version}",
        "model_digest": model.digest,
    }
