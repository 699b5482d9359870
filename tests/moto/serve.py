"""Runs moto's S3 server with one bucket, and says where. It ends when its standard input does.

    python serve.py PORT BUCKET ACCESS_KEY_ID SECRET_ACCESS_KEY

moto lets everybody in. Real servers check signatures, so this one does too (AWS Signature Version 4, in the query).
A request that names itself `x-operator` is the test's own hand in the bucket, and is let in. Its POST makes an empty object of each line,
because a thousand requests take long, and makes it look a month old.
"""

import hashlib
import hmac
import sys
import threading
from datetime import timedelta
from urllib.parse import parse_qsl, quote

import moto.backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

port, bucket, key_id, secret = int(sys.argv[1]), *sys.argv[2:]


def signature(environ, query):
    _, date, region, service, end = query["X-Amz-Credential"].split("/")
    names = query["X-Amz-SignedHeaders"].split(";")
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in query.items() if k != "X-Amz-Signature")
    headers = [f"{name}:{environ.get('HTTP_' + name.upper().replace('-', '_'), '').strip()}\n" for name in names]
    request = "\n".join([
        environ["REQUEST_METHOD"],
        environ["RAW_URI"].split("?")[0],
        "&".join(f"{k}={v}" for k, v in pairs),
        "".join(headers),
        ";".join(names),
        "UNSIGNED-PAYLOAD",
    ])
    scope = "/".join([date, region, service, end])
    text = "\n".join(["AWS4-HMAC-SHA256", query["X-Amz-Date"], scope, hashlib.sha256(request.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in [date, region, service, end]:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def refusal(environ):
    if "HTTP_X_OPERATOR" in environ:
        return None
    query = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
    if "X-Amz-Signature" not in query:
        return "AccessDenied"
    if query["X-Amz-Credential"].split("/")[0] != key_id:
        return "InvalidAccessKeyId"
    if not hmac.compare_digest(query["X-Amz-Signature"], signature(environ, query)):
        return "SignatureDoesNotMatch"
    return None


def checked(inner):
    def serve(environ, start_response):
        code = refusal(environ)
        if code is None and environ["REQUEST_METHOD"] == "POST":
            keys = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
            for key in keys.splitlines():
                backend.put_object(bucket, key, b"").last_modified -= timedelta(days=30)
            start_response("200 OK", [("Content-Length", "0")])
            return [b""]
        if code is None:
            # moto keeps those out who show nothing, and looks no further.
            environ["HTTP_AUTHORIZATION"] = f"AWS4-HMAC-SHA256 Credential={key_id}/20260101/us-east-1/s3/aws4_request"
            return inner(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        # As S3 does, the message repeats what was sent.
        sent = environ["QUERY_STRING"].replace("&", "&amp;")
        document = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{sent}</Message></Error>".encode()
        headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(document)))]
        start_response("403 Forbidden", headers)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else document]

    return serve


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


backend = moto.backends.get_backend("s3")["123456789012"]["aws"]
backend.create_bucket(bucket, "us-east-1")
application = checked(DomainDispatcherApplication(create_backend_app))
server = make_server("127.0.0.1", port, application, threaded=True, request_handler=Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{server.server_port}", flush=True)
sys.stdin.read()
