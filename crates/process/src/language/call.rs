//! What is asked of others.

use serde_json::{Map, Value};

use super::{
    Word,
    access::{self, Authentication, Endpoint, Pairs, Resource},
    duration::{self, Duration},
    event::{self, Each},
    fields::Fields,
    reader::Reader,
    template::{Expr, Template},
};
use crate::yaml::{Node, What};

/// What is asked, and how.
#[derive(Clone, Debug)]
pub enum Call {
    /// An HTTP request.
    Http(Box<Http>),
    /// An operation that an OpenAPI document describes.
    OpenApi(Box<OpenApi>),
    /// A method of a gRPC service.
    Grpc(Box<Grpc>),
    /// An operation that an AsyncAPI document describes.
    AsyncApi(Box<AsyncApi>),
    /// A method of an agent (Agent2Agent).
    A2a(Box<A2a>),
    /// A method of a server of tools (Model Context Protocol).
    Mcp(Box<Mcp>),
    /// A function: one of the hub's own, one of `use.functions`, or one of a catalogue.
    Function(Function),
}

/// A function, and what it is called with.
#[derive(Clone, Debug)]
pub struct Function {
    /// `name`, or `name:version@catalogue`.
    pub name: Word,
    /// Where `with` stands; the task, if there is none.
    pub place: crate::problem::Place,
    /// By name.
    pub with: Vec<(Word, Template)>,
}

impl Function {
    /// The argument of this name.
    pub fn argument(&self, name: &str) -> Option<&Template> {
        let mut with = self.with.iter();
        with.find(|(word, _)| word.text == name)
            .map(|(_, template)| template)
    }
}

/// An HTTP request.
#[derive(Clone, Debug)]
pub struct Http {
    /// Its method.
    pub method: Template,
    /// Where to.
    pub endpoint: Endpoint,
    /// Its headers.
    pub headers: Option<Pairs>,
    /// Its body.
    pub body: Option<Template>,
    /// Its query.
    pub query: Option<Pairs>,
    /// What of the answer is the task's output.
    pub output: Answer,
    /// Whether an answer of 300 to 399 is none of the errors.
    pub redirect: bool,
}

/// What of an answer is the task's output.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Answer {
    /// Its content, as it came.
    Raw,
    /// Its content, read as what it says it is.
    #[default]
    Content,
    /// All of it.
    Response,
}

/// An operation that an OpenAPI document describes.
#[derive(Clone, Debug)]
pub struct OpenApi {
    /// The document.
    pub document: Resource,
    /// The operation.
    pub operation: Word,
    /// By name.
    pub parameters: Vec<(String, Template)>,
    /// How to say who asks.
    pub authentication: Option<Authentication>,
    /// What of the answer is the task's output.
    pub output: Answer,
    /// Whether an answer of 300 to 399 is none of the errors.
    pub redirect: bool,
}

/// A method of a gRPC service.
#[derive(Clone, Debug)]
pub struct Grpc {
    /// Its protocol.
    pub proto: Resource,
    /// The service's name.
    pub service: String,
    /// The host that has it.
    pub host: String,
    /// The port there.
    pub port: Option<u16>,
    /// How to say who asks.
    pub authentication: Option<Authentication>,
    /// The method.
    pub method: String,
    /// By name.
    pub arguments: Vec<(String, Template)>,
}

/// An operation that an AsyncAPI document describes.
#[derive(Clone, Debug)]
pub struct AsyncApi {
    /// The document.
    pub document: Resource,
    /// The operation, or the channel of a document of version 2.
    pub operation: String,
    /// Whether it is a channel.
    pub is_channel: bool,
    /// The server: its name and variables.
    pub server: Option<(String, Map<String, Value>)>,
    /// The protocol that picks one.
    pub protocol: Option<&'static str>,
    /// What is said, or what is listened to.
    pub does: Messaging,
    /// How to say who asks.
    pub authentication: Option<Authentication>,
}

/// One direction of messages.
#[derive(Clone, Debug)]
pub enum Messaging {
    /// Something is said: payload and headers.
    Say {
        /// The payload.
        payload: Option<Template>,
        /// By name.
        headers: Option<Template>,
    },
    /// Something is listened to.
    Listen(Box<Subscription>),
}

/// What is listened to.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Which messages count.
    pub filter: Option<Expr>,
    /// For how long.
    pub time: Option<Duration>,
    /// Until when.
    pub until: Until,
    /// What is done with each.
    pub each: Option<Each>,
}

/// Until when messages are listened to.
#[derive(Clone, Debug)]
pub enum Until {
    /// So many came.
    Amount(i64),
    /// This does not hold any more, after a message.
    While(Expr),
    /// This holds, before a message.
    Until(Expr),
}

/// A method of an agent.
#[derive(Clone, Debug)]
pub struct A2a {
    /// Who it is.
    pub agent_card: Option<Resource>,
    /// Where it is.
    pub server: Option<Endpoint>,
    /// The method.
    pub method: &'static str,
    /// What it is called with.
    pub parameters: Option<Template>,
}

/// A method of a server of tools.
#[derive(Clone, Debug)]
pub struct Mcp {
    /// The protocol's version.
    pub version: Option<String>,
    /// The method.
    pub method: &'static str,
    /// What it is called with.
    pub parameters: Option<Template>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// How it is reached.
    pub transport: Transport,
    /// As whom: name and version.
    pub client: Option<(String, String)>,
}

/// How a server of tools is reached.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Over HTTP.
    Http {
        /// Where.
        endpoint: Endpoint,
        /// By name.
        headers: Vec<(String, Template)>,
    },
    /// As a program.
    Stdio {
        /// Which.
        command: String,
        /// What it is called with.
        arguments: Vec<String>,
        /// Its environment.
        environment: Vec<(String, Template)>,
    },
}

const ANSWERS: [&str; 3] = ["raw", "content", "response"];
const PROTOCOLS: [&str; 18] = [
    "amqp",
    "amqp1",
    "anypointmq",
    "googlepubsub",
    "http",
    "ibmmq",
    "jms",
    "kafka",
    "mercure",
    "mqtt",
    "mqtt5",
    "nats",
    "pulsar",
    "redis",
    "sns",
    "solace",
    "sqs",
    "stomp",
];
const A2A_METHODS: [&str; 11] = [
    "message/send",
    "message/stream",
    "tasks/get",
    "tasks/list",
    "tasks/cancel",
    "tasks/resubscribe",
    "tasks/pushNotificationConfig/set",
    "tasks/pushNotificationConfig/get",
    "tasks/pushNotificationConfig/list",
    "tasks/pushNotificationConfig/delete",
    "agent/getAuthenticatedExtendedCard",
];
const MCP_METHODS: [&str; 7] = [
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/read",
    "resources/templates/list",
];

/// Reads `call` and `with`.
pub(super) fn read(reader: &mut Reader, fields: &mut Fields<'_>, called: &Node) -> Option<Call> {
    let name = reader.word(called)?;
    let with = fields.take("with");
    let place = with.map_or(name.place, |with| with.place);
    let standard = ["http", "openapi", "grpc", "asyncapi", "a2a", "mcp"];
    if standard.contains(&&*name.text) {
        let Some(with) = with else {
            let what = format!("`call: {}` needs `with`", name.text);
            reader.wrong(name.place, what);
            return None;
        };
        let with = reader.object(with, "`with`")?;
        return match &*name.text {
            "http" => http(reader, with).map(|http| Call::Http(Box::new(http))),
            "openapi" => openapi(reader, with).map(|api| Call::OpenApi(Box::new(api))),
            "grpc" => grpc(reader, with).map(|grpc| Call::Grpc(Box::new(grpc))),
            "asyncapi" => asyncapi(reader, with).map(|api| Call::AsyncApi(Box::new(api))),
            "a2a" => a2a(reader, with).map(|a2a| Call::A2a(Box::new(a2a))),
            _ => mcp(reader, with).map(|mcp| Call::Mcp(Box::new(mcp))),
        };
    }
    let with = match with {
        None => Vec::new(),
        Some(with) => {
            let fields = reader.object(with, "`with`")?;
            let entries = fields.map().entries.iter();
            let with: Vec<_> = entries
                .map(|(key, node)| {
                    let (text, place) = (key.name.clone(), key.place);
                    Some((Word { text, place }, reader.template(node)?))
                })
                .collect();
            with.into_iter().collect::<Option<_>>()?
        }
    };
    Some(Call::Function(Function { name, place, with }))
}

fn http(reader: &mut Reader, mut fields: Fields<'_>) -> Option<Http> {
    let method = fields.need(reader, "method");
    let method = method.and_then(|node| {
        reader.text(node)?;
        reader.template(node)
    });
    let endpoint = fields.need(reader, "endpoint");
    let endpoint = endpoint.and_then(|node| access::endpoint(reader, node));
    let headers = fields.take("headers");
    let headers = headers.and_then(|node| access::pairs(reader, node));
    let body = fields.take("body").and_then(|node| reader.template(node));
    let query = fields.take("query");
    let query = query.and_then(|node| access::pairs(reader, node));
    let (output, redirect) = answer(reader, &mut fields);
    fields.end(reader);
    Some(Http {
        method: method?,
        endpoint: endpoint?,
        headers,
        body,
        query,
        output,
        redirect,
    })
}

/// What of the answer is wanted.
fn answer(reader: &mut Reader, fields: &mut Fields<'_>) -> (Answer, bool) {
    let output = fields.take("output");
    let output = match output.and_then(|node| reader.one_of(node, &ANSWERS)) {
        Some("raw") => Answer::Raw,
        Some("response") => Answer::Response,
        _ => Answer::Content,
    };
    let redirect = fields.take("redirect");
    let redirect = redirect.and_then(|node| reader.boolean(node));
    (output, redirect.unwrap_or(false))
}

fn openapi(reader: &mut Reader, mut fields: Fields<'_>) -> Option<OpenApi> {
    let document = fields.need(reader, "document");
    let document = document.and_then(|node| access::resource(reader, node));
    let operation = fields.need(reader, "operationId");
    let operation = operation.and_then(|node| reader.word(node));
    let parameters = parameters(reader, &mut fields, "parameters");
    let authentication = authentication(reader, &mut fields);
    let (output, redirect) = answer(reader, &mut fields);
    fields.end(reader);
    Some(OpenApi {
        document: document?,
        operation: operation?,
        parameters: parameters?,
        authentication,
        output,
        redirect,
    })
}

fn authentication(reader: &mut Reader, fields: &mut Fields<'_>) -> Option<Authentication> {
    let node = fields.take("authentication")?;
    access::authenticate(reader, node)
}

/// Values by name, which may be left out.
fn parameters(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    name: &'static str,
) -> Option<Vec<(String, Template)>> {
    let Some(node) = fields.take(name) else {
        return Some(Vec::new());
    };
    let fields = reader.object(node, &format!("`{name}`"))?;
    let entries = fields.map().entries.iter();
    let read: Vec<_> = entries
        .map(|(key, node)| Some((key.name.clone(), reader.template(node)?)))
        .collect();
    read.into_iter().collect()
}

fn grpc(reader: &mut Reader, mut fields: Fields<'_>) -> Option<Grpc> {
    let proto = fields.need(reader, "proto");
    let proto = proto.and_then(|node| access::resource(reader, node));
    let service = fields.need(reader, "service");
    let service = service.and_then(|node| grpc_service(reader, node));
    let method = fields.need(reader, "method");
    let method = method.and_then(|node| reader.string(node));
    let arguments = parameters(reader, &mut fields, "arguments");
    fields.end(reader);
    let (service, host, port, authentication) = service?;
    Some(Grpc {
        proto: proto?,
        service,
        host,
        port,
        authentication,
        method: method?,
        arguments: arguments?,
    })
}

type GrpcService = (String, String, Option<u16>, Option<Authentication>);

fn grpc_service(reader: &mut Reader, node: &Node) -> Option<GrpcService> {
    let mut fields = reader.object(node, "`service`")?;
    let name = fields.need(reader, "name");
    let name = name.and_then(|node| reader.string(node));
    let host = fields.need(reader, "host");
    let host = host.and_then(|node| host_name(reader, node));
    let port = fields.take("port").and_then(|node| {
        let port = reader.integer(node)?;
        let small = u16::try_from(port).ok();
        if small.is_none() {
            reader.wrong(
                node.place,
                format!("{port} is no port; it is at most 65535"),
            );
        }
        small
    });
    let authentication = authentication(reader, &mut fields);
    fields.end(reader);
    Some((name?, host?, port, authentication))
}

fn host_name(reader: &mut Reader, node: &Node) -> Option<String> {
    let host = reader.string(node)?;
    let end_is_good = |c: char| c.is_ascii_alphanumeric();
    let is_good = host.len() <= 63
        && host.starts_with(end_is_good)
        && host.ends_with(end_is_good)
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    if !is_good {
        let what = format!("`{host}` is no host name; write one like `api.example.org`");
        reader.wrong(node.place, what);
    }
    is_good.then_some(host)
}

fn asyncapi(reader: &mut Reader, mut fields: Fields<'_>) -> Option<AsyncApi> {
    let document = fields.need(reader, "document");
    let document = document.and_then(|node| access::resource(reader, node));
    let channel = fields.take("channel").and_then(|node| reader.string(node));
    let operation = fields.take("operation");
    let operation = operation.and_then(|node| reader.string(node));
    let server = fields.take("server").and_then(|node| {
        let mut fields = reader.object(node, "`server`")?;
        let name = fields.need(reader, "name");
        let name = name.and_then(|node| reader.string(node));
        let variables = fields.take("variables").and_then(|node| reader.map(node));
        fields.end(reader);
        Some((name?, variables.unwrap_or_default()))
    });
    let protocol = fields.take("protocol");
    let protocol = protocol.and_then(|node| {
        let mut words = PROTOCOLS.to_vec();
        words.push("ws");
        reader.one_of(node, &words)
    });
    let message = fields.take("message");
    let subscription = fields.take("subscription");
    let authentication = authentication(reader, &mut fields);
    let place = fields.place;
    fields.end(reader);
    let (operation, is_channel) = match (operation, channel) {
        (Some(operation), None) => (operation, false),
        (None, Some(channel)) => (channel, true),
        _ => {
            let what = "`with` names either an `operation` or, for AsyncAPI 2, a `channel`";
            reader.wrong(place, what);
            return None;
        }
    };
    let does = match (message, subscription) {
        (Some(node), None) => message_said(reader, node),
        (None, Some(node)) => subscribed(reader, node),
        _ => {
            reader.wrong(place, "`with` has either a `message` or a `subscription`");
            None
        }
    };
    Some(AsyncApi {
        document: document?,
        operation,
        is_channel,
        server,
        protocol,
        does: does?,
        authentication,
    })
}

fn message_said(reader: &mut Reader, node: &Node) -> Option<Messaging> {
    let mut fields = reader.object(node, "`message`")?;
    let mut part = |name| {
        let node = fields.take(name)?;
        reader.object(node, &format!("`{name}`"))?;
        reader.template(node)
    };
    let payload = part("payload");
    let headers = part("headers");
    fields.end(reader);
    Some(Messaging::Say { payload, headers })
}

fn subscribed(reader: &mut Reader, node: &Node) -> Option<Messaging> {
    let mut fields = reader.object(node, "`subscription`")?;
    let filter = fields.take("filter").and_then(|node| reader.enclosed(node));
    let consume = fields.need(reader, "consume");
    let consume = consume.and_then(|node| {
        let mut fields = reader.object(node, "`consume`")?;
        let time = fields.take("for");
        let time = time.and_then(|node| duration::read(reader, node));
        let amount = fields.take("amount");
        let holds = fields.take("while");
        let until = fields.take("until");
        let place = fields.place;
        fields.end(reader);
        let until = match (amount, holds, until) {
            (Some(node), None, None) => reader.integer(node).map(Until::Amount),
            (None, Some(node), None) => reader.enclosed(node).map(Until::While),
            (None, None, Some(node)) => reader.enclosed(node).map(Until::Until),
            _ => {
                let what = "`consume` has exactly one of `amount`, `while` and `until`";
                reader.wrong(place, what);
                None
            }
        };
        Some((time, until?))
    });
    let each = fields.take("foreach");
    let each = each.and_then(|node| event::each(reader, node, "/foreach"));
    fields.end(reader);
    let (time, until) = consume?;
    Some(Messaging::Listen(Box::new(Subscription {
        filter,
        time,
        until,
        each,
    })))
}

fn a2a(reader: &mut Reader, mut fields: Fields<'_>) -> Option<A2a> {
    let agent_card = fields.take("agentCard");
    let agent_card = agent_card.and_then(|node| access::resource(reader, node));
    let server = fields.take("server");
    let server = server.and_then(|node| access::endpoint(reader, node));
    let method = fields.need(reader, "method");
    let method = method.and_then(|node| reader.one_of(node, &A2A_METHODS));
    let parameters = fields.take("parameters");
    let parameters = parameters.and_then(|node| called_with(reader, node, true));
    fields.end(reader);
    Some(A2a {
        agent_card,
        server,
        method: method?,
        parameters,
    })
}

/// An object, or an expression that gives one.
fn called_with(reader: &mut Reader, node: &Node, needs_one: bool) -> Option<Template> {
    if let What::Map(map) = &node.what
        && map.entries.is_empty()
        && needs_one
    {
        reader.wrong(node.place, "`parameters` is empty; leave it out");
        return None;
    }
    reader.computed(node)
}

fn mcp(reader: &mut Reader, mut fields: Fields<'_>) -> Option<Mcp> {
    let version = fields.take("protocolVersion");
    let version = version.and_then(|node| reader.string(node));
    let method = fields.need(reader, "method");
    let method = method.and_then(|node| reader.one_of(node, &MCP_METHODS));
    let parameters = fields.take("parameters");
    let parameters = parameters.and_then(|node| called_with(reader, node, false));
    let timeout = fields.take("timeout");
    let timeout = timeout.and_then(|node| duration::read(reader, node));
    let transport = fields.need(reader, "transport");
    let transport = transport.and_then(|node| transported(reader, node));
    let client = fields.take("client").and_then(|node| {
        let mut fields = reader.object(node, "`client`")?;
        let name = fields.need(reader, "name");
        let name = name.and_then(|node| reader.string(node));
        let version = fields.need(reader, "version");
        let version = version.and_then(|node| reader.string(node));
        Some((name?, version?))
    });
    Some(Mcp {
        version,
        method: method?,
        parameters,
        timeout,
        transport: transport?,
        client,
    })
}

fn transported(reader: &mut Reader, node: &Node) -> Option<Transport> {
    let mut fields = reader.object(node, "`transport`")?;
    fields
        .take("options")
        .and_then(|node| reader.string_map(node));
    match (fields.take("http"), fields.take("stdio")) {
        (Some(node), None) => {
            let mut fields = reader.object(node, "`http`")?;
            let endpoint = fields.need(reader, "endpoint");
            let endpoint = endpoint.and_then(|node| access::endpoint(reader, node));
            let headers = fields.take("headers");
            let headers = headers.and_then(|node| reader.string_map(node));
            Some(Transport::Http {
                endpoint: endpoint?,
                headers: headers.unwrap_or_default(),
            })
        }
        (None, Some(node)) => {
            let mut fields = reader.object(node, "`stdio`")?;
            let command = fields.need(reader, "command");
            let command = command.and_then(|node| reader.string(node));
            let arguments = fields.take("arguments");
            let arguments = arguments.and_then(|node| reader.strings(node));
            let environment = fields.take("environment");
            let environment = environment.and_then(|node| reader.string_map(node));
            Some(Transport::Stdio {
                command: command?,
                arguments: arguments.unwrap_or_default(),
                environment: environment.unwrap_or_default(),
            })
        }
        _ => {
            let what = "`transport` has exactly one of `http` and `stdio`";
            reader.wrong(node.place, what);
            None
        }
    }
}
