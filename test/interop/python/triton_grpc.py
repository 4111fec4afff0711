"""tritonclient.grpc against a running gateway: unary calls, streams, health and reflection."""

import queue
import threading

import grpc
import numpy as np
import tritonclient.grpc as triton
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tritonclient.grpc import service_pb2, service_pb2_grpc

from cases import addresses, refused, run
from tensors import EXAMPLES, same


def tensor(array, datatype):
    made = triton.InferInput("INPUT", list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


def floats(rows=1, start=0.0):
    return np.arange(start, start + rows * 4, dtype=np.float32).reshape(rows, 4)


def test_health_and_metadata(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("simple") and client.is_model_ready("simple", "2")
    assert not client.is_model_ready("nobody") and not client.is_model_ready("broken")
    assert client.get_server_metadata().name == "triton"
    assert "statistics" in client.get_server_metadata().extensions
    model = client.get_model_metadata("simple")
    assert list(model.versions) == ["1", "2"] and list(model.inputs[0].shape) == [-1, 4]
    config = client.get_model_config("labelled").config
    assert config.max_batch_size == 8 and list(config.input[0].dims) == [4] and config.input[0].data_type == 11


def test_infer_and_the_id(client):
    result = client.infer("simple", [tensor(floats(3), "FP32")], request_id="r-1")
    assert same(result.as_numpy("OUTPUT"), floats(3)) and result.get_response().id == "r-1"


def test_every_datatype(client):
    for datatype, array in EXAMPLES.items():
        result = client.infer(f"types_{datatype.lower()}", [tensor(array, datatype)])
        assert same(result.as_numpy("OUTPUT"), array), datatype


def test_every_datatype_as_typed_contents(client):
    stub = service_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(ADDRESS))
    fields = {
        "BOOL": "bool_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
        "UINT64": "uint64_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
        "INT64": "int64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
    }
    for datatype, field in fields.items():
        array = EXAMPLES[datatype]
        request = service_pb2.ModelInferRequest(model_name=f"types_{datatype.lower()}")
        sent = request.inputs.add(name="INPUT", datatype=datatype, shape=array.shape)
        getattr(sent.contents, field).extend(array.flatten().tolist())
        result = triton.InferResult(stub.ModelInfer(request))
        assert same(result.as_numpy("OUTPUT"), array), datatype


def test_async_infer(client):
    answers = queue.Queue()
    for i in range(32):
        def on_answer(result, error, i=i):
            answers.put((i, result, error))
        client.async_infer("simple", [tensor(floats(start=i), "FP32")], on_answer)
    for _ in range(32):
        i, result, error = answers.get(timeout=30)
        assert error is None and same(result.as_numpy("OUTPUT"), floats(start=i))


def test_stream(client):
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    for i in range(20):
        name = "nobody" if i == 7 else "simple"
        client.async_stream_infer(name, [tensor(floats(start=i), "FP32")], request_id=str(i),
                                  enable_empty_final_response=True)
    for i in range(20):
        result, error = answers.get(timeout=30)
        if i == 7:
            assert "Request for unknown model" in str(error)
            continue
        assert error is None and same(result.as_numpy("OUTPUT"), floats(start=i))
        response = result.get_response()
        assert response.id == str(i) and response.parameters["triton_final_response"].bool_param
        assert response.parameters["x-experiment"].string_param.startswith("simple-ab=v")
    client.stop_stream()


def test_a_stream_is_cancelled(client):
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    client.async_stream_infer("simple", [tensor(floats(), "FP32")])
    assert answers.get(timeout=30)[1] is None
    client.stop_stream(cancel_requests=True)


def test_classification(client):
    wanted = [triton.InferRequestedOutput("OUTPUT", class_count=2)]
    result = client.infer("labelled", [tensor(floats(2), "FP32")], outputs=wanted)
    assert result.as_numpy("OUTPUT").tolist() == [[b"3.000000:3", b"2.000000:2:cat"], [b"7.000000:3", b"6.000000:2:cat"]]


def test_compression(client):
    for coding in ("gzip", "deflate"):
        result = client.infer("simple", [tensor(floats(8), "FP32")], compression_algorithm=coding)
        assert same(result.as_numpy("OUTPUT"), floats(8))


def test_big_tensors(client):
    array = np.random.default_rng(0).random((1, 16 * 1024 * 1024), dtype=np.float32)
    result = client.infer("huge", [tensor(array, "FP32")])
    assert same(result.as_numpy("OUTPUT"), array)


def test_experiment_headers_both_ways(client):
    stub = service_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(ADDRESS))
    request = service_pb2.ModelInferRequest(model_name="simple", raw_input_contents=[floats().tobytes()])
    request.inputs.add(name="INPUT", datatype="FP32", shape=[1, 4])
    _, call = stub.ModelInfer.with_call(request, metadata=[("x-experiment", "v2")])
    headers = dict(call.initial_metadata())
    assert headers["x-experiment"] == "simple-ab=v2" and headers["x-experiment-reason"] == "override"
    assert "compute;dur=" in headers["server-timing"]


def test_deadline(client):
    def failures():
        return client.get_inference_statistics("slow").model_stats[0].inference_stats.fail.count

    before = failures()
    array = np.ones((1, 256, 256), dtype=np.float32)
    for _ in range(100):
        error = refused(lambda: client.infer("slow", [tensor(array, "FP32")], client_timeout=0.05))
        assert "DEADLINE_EXCEEDED" in error.status()
        # The client may give up a moment before the gateway does; on a busy machine before the call has come to the model.
        if any(failures() > before for _ in range(100)):
            return
    raise AssertionError("no call was at the model when its time was over")


def test_cancellation(client):
    done = threading.Event()
    answer = []
    call = client.async_infer("slow", [tensor(np.ones((1, 256, 256), dtype=np.float32), "FP32")],
                              lambda result, error: (answer.append(error), done.set()))
    call.cancel()
    assert done.wait(30) and "CANCELLED" in str(answer[0].status())


def test_statistics(client):
    def count():
        return client.get_inference_statistics("labelled", "1").model_stats[0]

    before = count()
    client.infer("labelled", [tensor(floats(5), "FP32")])
    after = count()
    assert after.inference_count - before.inference_count == 5
    assert after.execution_count - before.execution_count == 1
    assert sum(b.batch_size * b.compute_infer.count for b in after.batch_stats) == after.inference_count


def test_repository_control(client):
    index = {(model.name, model.version): model for model in client.get_model_repository_index().models}
    assert index["simple", "2"].state == "READY" and "failed to load" in index["broken", "1"].reason
    for action in (client.load_model, client.unload_model):
        error = refused(lambda: action("simple"), "explicit model load / unload is not allowed if polling is enabled")
        assert "UNAVAILABLE" in error.status()


def test_trace_and_log_settings(client):
    assert list(client.get_trace_settings().settings["trace_level"].value) == ["OFF"]
    refused(lambda: client.update_trace_settings(settings={"trace_level": ["TIMESTAMPS"]}), "trace_level")
    assert client.update_log_settings({"log_verbose_level": 1}).settings["log_verbose_level"].uint32_param == 1
    assert client.update_log_settings({"log_verbose_level": 0}).settings["log_info"].bool_param


def test_errors(client):
    sent = [tensor(floats(), "FP32")]
    assert "NOT_FOUND" in refused(lambda: client.infer("nobody", sent), "Request for unknown model").status()
    assert "UNAVAILABLE" in refused(lambda: client.infer("broken", sent), "failed to load").status()
    wrong = [tensor(np.zeros((1, 4), dtype=np.int32), "INT32")]
    assert "INVALID_ARGUMENT" in refused(lambda: client.infer("simple", wrong), "data-type is 'INT32'").status()
    assert "UNIMPLEMENTED" in refused(lambda: client.infer("simple", sent, sequence_id=7), "sequences").status()
    assert "UNIMPLEMENTED" in refused(client.get_system_shared_memory_status, "SystemSharedMemoryStatus").status()


def test_health_protocol(client):
    stub = health_pb2_grpc.HealthStub(grpc.insecure_channel(ADDRESS))
    for service in ("", "inference.GRPCInferenceService"):
        assert stub.Check(health_pb2.HealthCheckRequest(service=service)).status == 1
    error = refused(lambda: stub.Check(health_pb2.HealthCheckRequest(service="nobody")), "unknown service")
    assert error.code() == grpc.StatusCode.NOT_FOUND
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=""))
    assert next(watch).status == 1
    watch.cancel()


def test_reflection_gives_messages_that_work(client):
    channel = grpc.insecure_channel(ADDRESS)
    database = ProtoReflectionDescriptorDatabase(channel)
    assert {"inference.GRPCInferenceService", "grpc.health.v1.Health"} <= set(database.get_services())
    pool = DescriptorPool(database)
    method = pool.FindServiceByName("inference.GRPCInferenceService").methods_by_name["ModelInfer"]
    request = GetMessageClass(method.input_type)(model_name="simple", raw_input_contents=[floats().tobytes()])
    request.inputs.add(name="INPUT", datatype="FP32", shape=[1, 4])
    request.parameters["my-own"].string_param = "x"
    answer = channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )(request)
    assert answer.raw_output_contents[0] == floats().tobytes()


_, ADDRESS = addresses()
run(globals(), triton.InferenceServerClient(ADDRESS))
