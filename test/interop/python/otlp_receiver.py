"""Receives logs over OTLP/HTTP as a collector does, decodes them with OpenTelemetry's own definitions, and prints each as a line of JSON.

Says its port first. Answers 503 to as many requests as its argument says, as a receiver that is busy does.
"""

import gzip
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

refusals = int(sys.argv[1])


def plain(value):
    kind = value.WhichOneof("value")
    return None if kind is None else getattr(value, kind)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        global refusals
        body = self.body()
        if refusals > 0:
            refusals -= 1
            self.send_response(503)
            self.send_header("content-length", "0")
            self.end_headers()
            return
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportLogsServiceRequest.FromString(body)
        for resource_logs in request.resource_logs:
            resource = {pair.key: plain(pair.value) for pair in resource_logs.resource.attributes}
            for scope_logs in resource_logs.scope_logs:
                for record in scope_logs.log_records:
                    line = {
                        "path": self.path,
                        "key": self.headers.get("x-key"),
                        "resource": resource,
                        "scope": scope_logs.scope.name,
                        "event": record.event_name,
                        "time": record.time_unix_nano,
                        "attributes": {pair.key: plain(pair.value) for pair in record.attributes},
                    }
                    print(json.dumps(line), flush=True)
        answer = ExportLogsServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def body(self):
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers["content-length"]))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
