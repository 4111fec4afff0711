"""The FastAPI server that many start from: a model loaded once, and POST /predict with an uploaded file.

Arguments: the model's file, the labels' file, the port. It prints a line when it listens.
"""

import io
import sys
import time

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, File, Header, HTTPException, Request, UploadFile
from PIL import Image, UnidentifiedImageError

model_file, labels_file, port = sys.argv[1:4]
session = onnxruntime.InferenceSession(model_file, providers=["CPUExecutionProvider"])
with open(labels_file, encoding="utf-8") as file:
    labels = [line.strip() for line in file]

app = FastAPI()


def preprocess(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data)).convert("L").resize((8, 8), Image.Resampling.BILINEAR)
    return (np.asarray(image, dtype=np.float32) / 255.0)[np.newaxis, np.newaxis]


@app.get("/health")
def health():
    return {"status": "healthy"}


@app.get("/seen")
def seen():
    """What the last prediction brought, for the test."""
    return app.state.seen


@app.post("/predict")
async def predict(request: Request, file: UploadFile = File(...), x_user_id: str | None = Header(default=None)):
    app.state.seen = {"headers": dict(request.headers), "query": dict(request.query_params), "filename": file.filename}
    try:
        tensor = preprocess(await file.read())
    except UnidentifiedImageError as error:
        raise HTTPException(status_code=400, detail="not an image") from error
    started = time.perf_counter()
    (scores,) = session.run(None, {session.get_inputs()[0].name: tensor})
    exponents = np.exp(scores[0] - scores[0].max())
    confidences = exponents / exponents.sum()
    best = confidences.argsort()[::-1][:3]
    return {
        "success": True,
        "predictions": [
            {"class_id": int(index), "label": labels[index], "confidence": float(confidences[index])} for index in best
        ],
        "inference_time_ms": (time.perf_counter() - started) * 1000,
    }


class AnnouncedServer(uvicorn.Server):
    """Says when it listens."""

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        print("ready", flush=True)


AnnouncedServer(uvicorn.Config(app, host="127.0.0.1", port=int(port), log_level="warning")).run()
