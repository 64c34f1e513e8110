//! OTLP's logs from OpenTelemetry's own SDK for Python: over HTTP, and over gRPC with a token and with TLS.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

use crate::Test;
use crate::access::{certificate, tokens};
use crate::agent::{Agent, Options};
use crate::models::{CONFIG, ready};
use crate::parts::{Part, check, command, eventually, free_port, python};

pub const TESTS: &[Test] = &[
    (&[Part::OpenTelemetry], "logs::of_the_opentelemetry_sdk_become_rows", of_the_sdk_become_rows),
    (&[Part::OpenTelemetry, Part::Curl], "logs::over_grpc_a_token_is_asked_for_and_tls_is_spoken", over_grpc),
];

const HTTP: &str = r"
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http import Compression
exporter = OTLPLogExporter(endpoint=sys.argv[1] + '/v1/logs', compression=Compression.Gzip)
";

/// With a token where there is one, and with TLS where there is an authority.
const GRPC: &str = r"
import grpc
logging.basicConfig(stream=sys.stdout)
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
_, url, token, authority = sys.argv
tls = dict(credentials=grpc.ssl_channel_credentials(open(authority, 'rb').read())) if authority else dict(insecure=True)
exporter = OTLPLogExporter(endpoint=url, headers=(('authorization', 'Bearer ' + token),) if token else (),
    compression=grpc.Compression.Gzip, timeout=5, **tls)
";

/// 301 samples and 100 labels.
const SEND: &str = r"
import sys, logging, time
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
@EXPORTER@
provider = LoggerProvider(resource=Resource.create({'service.name': 'shop', 'plumbline.model': 'm'}))
provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
logger = provider.get_logger('predictions')
for i in range(300):
    logger.emit(LogRecord(timestamp=1_767_225_600_000_000_000 + i * 1_000_000, severity_number=SeverityNumber.INFO,
        event_name='plumbline.sample', attributes={'id': f's{i}', 'x': i / 2, 'plan': 'basic', 'e': [1.0, float(i)]},
        body={'prediction': i % 2, 'score': 0.25, 'user': {'age': 30 + i}}))
    if i < 100:
        logger.emit(LogRecord(timestamp=1_767_225_700_000_000_000, event_name='plumbline.label',
            attributes={'id': f's{i}', 'label': i % 2}))
# By way of Python's own logging, with what it says of where the line stands.
log = logging.getLogger('service')
log.addHandler(LoggingHandler(logger_provider=provider))
log.warning('a prediction', extra={'id': 'logged', 'x': 7.5, 'prediction': 1})
provider.shutdown()
";

fn send(exporter: &str, arguments: &[&str]) -> Result<String, Failed> {
    command(python(), &[&["-c", &SEND.replace("@EXPORTER@", exporter)], arguments].concat())
}

fn rows_are_there(agent: &Agent) -> Result<(), Failed> {
    let model = eventually(Duration::from_secs(10), || {
        let model = agent.model("m")?;
        let counts = &model["counts"];
        check(counts["samples"] == 301 && counts["labels"] == 100, || format!("{counts} {}", agent.log()))?;
        Ok(model)
    })?;
    check(model["counts"]["unmatched"] == 0, || model["counts"].to_string())
}

fn of_the_sdk_become_rows() -> Result<(), Failed> {
    let agent = ready(Options { config: CONFIG, ..Options::default() })?;
    send(HTTP, &[&format!("http://{}", agent.address)])?;
    rows_are_there(&agent)?;
    let metrics = agent.get("/metrics")?.1;
    check(!metrics.contains("code.lineno") && !metrics.contains("code.line"), || metrics.clone())?;
    // Lines of a log are no predictions: told, not sent again.
    let line = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"started"}}]}]}]}"#;
    let (status, _, answer) = agent.send("POST /v1/logs", "application/json", line)?;
    check(status == 200 && answer["partialSuccess"]["rejectedLogRecords"] == "1", || format!("{status} {answer}"))
}

/// The SDK waits and tries again where a status says so; what is refused for its token it does not send again.
fn over_grpc() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (file, [read, write, _]) = tokens(folder.path())?;
    let grpc = format!("127.0.0.1:{}", free_port());
    let config = format!("{CONFIG}[ingest]\notlp_grpc = \"{grpc}\"\n");
    let options =
        Options { config: &config, arguments: &["--tokens", &file], token: Some(read.clone()), ..Options::default() };
    let mut agent = Agent::start(options)?;
    let url = format!("http://{grpc}");
    for (token, status) in [("", "UNAUTHENTICATED"), (read.trim(), "PERMISSION_DENIED")] {
        let said = send(GRPC, &[&url, token, ""])?;
        check(said.contains(status), || format!("not {status}: {said}"))?;
    }
    send(GRPC, &[&url, write.trim(), ""])?;
    rows_are_there(&agent)?;
    // Whoever only connects takes nobody's place, however many they are.
    let silent: Vec<_> = (0..600).map(|_| TcpStream::connect(&grpc)).collect::<Result<_, _>>()?;
    send(GRPC, &[&url, write.trim(), ""])?;
    drop(silent);
    // One that speaks no HTTP/2 gets no answer, and the others go on.
    let other = command("curl", &["-sS", "--http1.1", "--max-time", "5", &url]);
    check(other.is_err(), || format!("{other:?}"))?;
    send(GRPC, &[&url, write.trim(), ""])?;
    eventually(Duration::from_secs(10), || {
        let samples = agent.model("m")?["counts"]["samples"].as_f64();
        let counted = agent.sum("plumbline_ingest_accepted_total", "")?;
        // One id is in a window that is still open, where it counts once.
        check(samples == Some(901.0) && counted == 1203.0, || format!("{samples:?} {counted}"))
    })?;
    // A connection without a call holds up no end.
    let _silent = TcpStream::connect(&grpc)?;
    let begun = Instant::now();
    agent.signal("TERM")?;
    agent.wait(Duration::from_secs(4)).map_err(|error| format!("after {:?}: {error:?}", begun.elapsed()))?;
    check(!agent.log().contains("not everything ended"), || agent.log())?;
    let served = certificate(folder.path(), "served")?;
    let grpc = format!("127.0.0.1:{}", free_port());
    let config = format!(
        "{CONFIG}[ingest]\notlp_grpc = \"{grpc}\"\n[access]\ncertificate = \"{}\"\nkey = \"{}\"\n",
        served[0], served[1]
    );
    let agent = Agent::start(Options { config: &config, ..Options::default() })?;
    let at = |path: &str| {
        command(
            "curl",
            &["-sS", "--max-time", "5", "--cacert", &served[0], &format!("https://{}{path}", agent.address)],
        )
    };
    eventually(Duration::from_secs(10), || at("/readyz").map(drop))?;
    send(GRPC, &[&format!("https://{grpc}"), "", &served[0]])?;
    eventually(Duration::from_secs(10), || {
        let model = at("/api/v1/models/m")?;
        check(model.contains("\"samples\":301"), || model.clone())
    })
}
