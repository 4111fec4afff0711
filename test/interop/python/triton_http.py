"""tritonclient.http against a running gateway."""

import numpy as np
import tritonclient.http as triton

from cases import addresses, refused, run
from tensors import EXAMPLES, same


def tensor(name, array, datatype, binary=True):
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def floats(rows=1, start=0.0):
    return np.arange(start, start + rows * 4, dtype=np.float32).reshape(rows, 4)


def infer(client, array, binary=True, **options):
    return client.infer("simple", [tensor("INPUT", array, "FP32", binary)], **options)


def test_health_and_metadata(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("simple") and client.is_model_ready("simple", "2")
    assert not client.is_model_ready("simple", "9") and not client.is_model_ready("nobody")
    server = client.get_server_metadata()
    assert server["name"] == "triton"
    assert {"classification", "statistics", "binary_tensor_data", "logging"} <= set(server["extensions"])
    model = client.get_model_metadata("simple")
    assert model["versions"] == ["1", "2"]
    assert model["inputs"] == [{"name": "INPUT", "datatype": "FP32", "shape": [-1, 4]}]
    config = client.get_model_config("labelled")
    assert config["max_batch_size"] == 8 and config["input"][0]["data_type"] == "TYPE_FP32"


def test_infer_binary_and_json(client):
    for binary in (True, False):
        wanted = [triton.InferRequestedOutput("OUTPUT", binary_data=binary)]
        result = infer(client, floats(3), binary, outputs=wanted, request_id="r-1")
        assert same(result.as_numpy("OUTPUT"), floats(3))
        assert result.get_response()["id"] == "r-1"


def test_every_datatype(client):
    for datatype, array in EXAMPLES.items():
        sent = [tensor("INPUT", array, datatype)]
        wanted = [triton.InferRequestedOutput("OUTPUT", binary_data=True)]
        result = client.infer(f"types_{datatype.lower()}", sent, outputs=wanted)
        assert same(result.as_numpy("OUTPUT"), array), datatype


def test_strings_as_json(client):
    array = EXAMPLES["BYTES"]
    wanted = [triton.InferRequestedOutput("OUTPUT", binary_data=False)]
    result = client.infer("types_bytes", [tensor("INPUT", array, "BYTES", False)], outputs=wanted)
    assert [text.encode() if isinstance(text, str) else text for text in result.as_numpy("OUTPUT").flat] == list(array.flat)


def test_async_infer(client):
    pending = [client.async_infer("simple", [tensor("INPUT", floats(start=i), "FP32")]) for i in range(32)]
    for i, answer in enumerate(pending):
        assert same(answer.get_result().as_numpy("OUTPUT"), floats(start=i))


def test_classification(client):
    wanted = [triton.InferRequestedOutput("OUTPUT", class_count=2)]
    result = client.infer("labelled", [tensor("INPUT", floats(2), "FP32")], outputs=wanted)
    assert result.as_numpy("OUTPUT").tolist() == [[b"3.000000:3", b"2.000000:2:cat"], [b"7.000000:3", b"6.000000:2:cat"]]


def test_compression_both_ways(client):
    array = np.arange(400, dtype=np.float32).reshape(1, 400)
    for coding in ("gzip", "deflate"):
        for binary in (True, False):
            result = client.infer(
                "row",
                [tensor("INPUT", array, "FP32", binary)],
                request_compression_algorithm=coding,
                response_compression_algorithm=coding,
            )
            assert same(result.as_numpy("OUTPUT"), array)


def test_query_parameters_and_headers(client):
    result = infer(client, floats(), query_params={"a": 1}, headers={"X-Experiment": "v2"})
    assert result.get_response()["model_version"] == "2"


def test_priority_timeout_and_own_parameters(client):
    infer(client, floats(), priority=1, timeout=10_000_000, parameters={"my-own": "x"})


def test_big_tensors(client):
    array = np.random.default_rng(0).random((1, 15 * 1024 * 1024), dtype=np.float32)
    result = client.infer("wide", [tensor("INPUT", array, "FP32")])
    assert same(result.as_numpy("OUTPUT"), array)


def test_statistics(client):
    def count():
        return client.get_inference_statistics("labelled", "1")["model_stats"][0]

    before = count()
    client.infer("labelled", [tensor("INPUT", floats(5), "FP32")])
    after = count()
    assert after["inference_count"] - before["inference_count"] == 5
    assert after["execution_count"] - before["execution_count"] == 1
    assert any(batch["batch_size"] == 5 for batch in after["batch_stats"])
    assert len(client.get_inference_statistics()["model_stats"]) > 10


def test_repository_control(client):
    index = {(model["name"], model["version"]): model for model in client.get_model_repository_index()}
    assert index["simple", "2"]["state"] == "READY"
    assert index["broken", "1"]["state"] == "UNAVAILABLE" and "failed to load" in index["broken", "1"]["reason"]
    for action in (client.load_model, client.unload_model):
        error = refused(lambda: action("simple"), "explicit model load / unload is not allowed if polling is enabled")
        assert error.status() == "503"


def test_trace_and_log_settings(client):
    assert client.get_trace_settings()["trace_level"] == ["OFF"]
    assert client.update_trace_settings(settings={"trace_level": ["OFF"]})["trace_rate"] == "1000"
    refused(lambda: client.update_trace_settings(settings={"trace_level": ["TIMESTAMPS"]}), "trace_level")
    assert client.update_log_settings({"log_verbose_level": 1})["log_verbose_level"] == 1
    assert client.update_log_settings({"log_verbose_level": 0})["log_verbose_level"] == 0
    assert client.get_log_settings()["log_info"] is True


def test_errors(client):
    sent = [tensor("INPUT", floats(), "FP32")]
    assert refused(lambda: client.infer("nobody", sent), "Request for unknown model").status() == "404"
    assert refused(lambda: client.infer("broken", sent), "failed to load").status() == "503"
    wrong = [tensor("INPUT", np.zeros((1, 4), dtype=np.int32), "INT32")]
    assert refused(lambda: client.infer("simple", wrong), "data-type is 'INT32'").status() == "400"
    assert refused(lambda: client.infer("simple", sent, sequence_id=7), "sequences are not supported").status() == "501"
    assert refused(client.get_system_shared_memory_status, "shared memory is not supported").status() == "501"
    region = triton.InferInput("INPUT", [1, 4], "FP32")
    region.set_shared_memory("region", 16)
    assert refused(lambda: client.infer("simple", [region]), "shared memory is not supported").status() == "501"


http, _ = addresses()
run(globals(), triton.InferenceServerClient(http, concurrency=8, connection_timeout=60, network_timeout=60))
