"""Bodies of types that schemathesis does not know: texts as they are. What is to be no text is sent as bytes that are none."""

import schemathesis


@schemathesis.serializer("application/x-ndjson", "application/toml", "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet", "application/x-protobuf")
def as_it_is(ctx, value):
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "replace") if isinstance(value, str) else b"\xff" + str(value).encode("utf-8", "replace")
