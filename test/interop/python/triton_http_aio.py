"""tritonclient.http.aio against a running gateway."""

import asyncio

import numpy as np
import tritonclient.http.aio as triton

from cases import addresses, run
from tensors import EXAMPLES, same


def tensor(array, datatype):
    made = triton.InferInput("INPUT", list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


async def test_infer_side_by_side(address):
    async with triton.InferenceServerClient(address) as client:
        assert await client.is_server_ready() and await client.is_model_ready("simple")
        arrays = [np.full((1, 4), i, dtype=np.float32) for i in range(32)]
        results = await asyncio.gather(*(client.infer("simple", [tensor(array, "FP32")]) for array in arrays))
        assert all(same(result.as_numpy("OUTPUT"), array) for result, array in zip(results, arrays))


async def test_every_datatype(address):
    async with triton.InferenceServerClient(address) as client:
        for datatype, array in EXAMPLES.items():
            result = await client.infer(f"types_{datatype.lower()}", [tensor(array, datatype)])
            assert same(result.as_numpy("OUTPUT"), array), datatype


async def test_compression_both_ways(address):
    array = np.arange(400, dtype=np.float32).reshape(1, 400)
    async with triton.InferenceServerClient(address) as client:
        for coding in ("gzip", "deflate"):
            result = await client.infer(
                "row",
                [tensor(array, "FP32")],
                request_compression_algorithm=coding,
                response_compression_algorithm=coding,
            )
            assert same(result.as_numpy("OUTPUT"), array)


async def test_metadata_config_statistics_and_index(address):
    async with triton.InferenceServerClient(address) as client:
        assert (await client.get_server_metadata())["name"] == "triton"
        assert (await client.get_model_metadata("simple"))["versions"] == ["1", "2"]
        assert (await client.get_model_config("labelled"))["max_batch_size"] == 8
        assert (await client.get_inference_statistics("simple"))["model_stats"][0]["name"] == "simple"
        assert len(await client.get_model_repository_index()) > 10


http, _ = addresses()
run(globals(), http)
