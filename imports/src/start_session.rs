//! One command, if it is `aws ssm start-session`: its options in any order, and what they come to.

use crate::parameters::{self, Parameters};
use crate::script::Scope;
use crate::shell::Word;
use crate::{Forward, ReadFile, Refusal, Report, Target, name};
use serde_json::Value as Json;
use std::collections::BTreeMap;

const DOCUMENT_PORT: &str = "AWS-StartPortForwardingSession";
const DOCUMENT_REMOTE: &str = "AWS-StartPortForwardingSessionToRemoteHost";

/// Of AWS's own documents.
const DEFAULT_PORT: &str = "80";

/// Options of the AWS CLI that take no value.
const FLAGS: &[&str] = &[
    "--debug",
    "--no-verify-ssl",
    "--no-paginate",
    "--no-sign-request",
    "--no-cli-pager",
    "--cli-auto-prompt",
    "--no-cli-auto-prompt",
];

/// What a word comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    /// The output of this command.
    Output(String),
    /// Only whoever runs the script knows; in words.
    Unknown(String),
}

/// A command's options, the last of each.
struct Options(BTreeMap<String, Value>);

/// Notes what the command starts, or why that cannot be taken; other commands are passed over.
pub(crate) fn read(words: &[Word], scope: &Scope, files: ReadFile<'_>, report: &mut Report) {
    let Some(line) = words.first().map(|word| word.line) else { return };
    let values: Vec<Value> = words.iter().map(|word| scope.value(&word.parts)).collect();
    let Some(aws) = values.iter().position(is_aws) else { return };
    let (positional, options) = arguments(&values[aws + 1..]);
    if positional.iter().take(2).ne(["ssm", "start-session"].iter()) {
        return;
    }
    let vault = values[..aws].iter().map(|value| match value {
        Value::Text(text) => text.as_str(),
        _ => "",
    });
    // `aws-vault exec PROFILE -- aws …`.
    let vault: Vec<&str> = vault.collect();
    let profile = vault.windows(3).find(|words| words[0].ends_with("aws-vault") && words[1] == "exec");
    match forward(&options, scope, profile.map(|words| words[2]), files) {
        Ok(forward) => {
            let named = scope.name.as_deref().map(name::slug).filter(|name| !name.is_empty());
            let name = named.unwrap_or_else(|| name::of_host(forward.host.as_deref(), forward.port));
            report.forwards.push(Forward { line, name, ..forward });
        }
        Err((why, next)) => {
            report.refusals.push(Refusal { line, why, next: next.map(str::to_owned) });
        }
    }
}

fn is_aws(value: &Value) -> bool {
    let Value::Text(text) = value else { return false };
    let program = text.rsplit(['/', '\\']).next().unwrap_or_default();
    matches!(program, "aws" | "aws.exe" | "aws2")
}

fn arguments(values: &[Value]) -> (Vec<&str>, Options) {
    let (mut positional, mut options) = (Vec::new(), BTreeMap::new());
    let mut values = values.iter().peekable();
    while let Some(value) = values.next() {
        let Value::Text(text) = value else { continue };
        if !text.starts_with("--") {
            positional.push(text.as_str());
        } else if let Some((name, value)) = text.split_once('=') {
            options.insert(name.to_owned(), Value::Text(value.to_owned()));
        } else if !FLAGS.contains(&text.as_str()) {
            let Some(mut value) = values.next().cloned() else { continue };
            if text == "--parameters" {
                // Shorthand may be spread over several words.
                let more = |value: &&Value| matches!(value, Value::Text(text) if !text.starts_with("--"));
                while let (Value::Text(whole), Some(Value::Text(more))) = (&value, values.next_if(more)) {
                    value = Value::Text(format!("{},{more}", whole.trim_end_matches(',')));
                }
            }
            options.insert(text.clone(), value);
        }
    }
    (positional, Options(options))
}

type Refused = (String, Option<&'static str>);

impl Options {
    fn text(&self, name: &str) -> Result<Option<String>, Refused> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(Value::Output(command)) => Err(unknown(name, &format!("the output of `{command}`"))),
            Some(Value::Unknown(what)) => Err(unknown(name, what)),
        }
    }
}

fn unknown(name: &str, what: &str) -> Refused {
    let next = "write the value itself in its place and import that, or use `tunnels add`";
    (format!("`{name}` is {what}, which is known only when the script runs"), Some(next))
}

fn forward(
    options: &Options,
    scope: &Scope,
    vault_profile: Option<&str>,
    files: ReadFile<'_>,
) -> Result<Forward, Refused> {
    let mut notes = Vec::new();
    let input = match options.text("--cli-input-json")? {
        Some(text) => serde_json::from_str::<Json>(&content(&text, files)?)
            .map_err(|error| (format!("`--cli-input-json` is no JSON: {error}"), None))?,
        None => Json::Null,
    };
    let from_input = |key: &str| input[key].as_str().map(str::to_owned);
    let document = options.text("--document-name")?.or_else(|| from_input("DocumentName"));
    let document = match document.as_deref() {
        None => return Err(("it opens a shell on the target, and forwards no port".to_owned(), None)),
        Some("AWS-StartSSHSession") => {
            return Err(("it carries an SSH connection, and forwards no port itself".to_owned(), None));
        }
        Some(DOCUMENT_PORT | DOCUMENT_REMOTE) => None,
        Some(name) => Some(name.to_owned()),
    };
    let parameters = match options.text("--parameters")? {
        Some(text) => parameters::parse(&content(&text, files)?),
        None if input["Parameters"].is_object() => parameters::from_json(&input["Parameters"]),
        None => Ok(Parameters::new()),
    };
    let parameters = parameters.map_err(|wrong| (format!("`--parameters` {wrong}"), None))?;
    let parameter = |name: &str| parameters.get(name).and_then(|values| values.first()).map(|text| text.trim());
    let default = document.is_none().then_some(DEFAULT_PORT);
    let Some(port) = parameter("portNumber").or(default) else {
        return Err(("it names no `portNumber`, so it forwards no port".to_owned(), None));
    };
    let port = port_number("portNumber", port)?;
    let local_port = match parameter("localPortNumber") {
        None | Some("0" | "") => None,
        Some(text) => Some(port_number("localPortNumber", text)?),
    };
    let host = parameter("host").filter(|host| !host.is_empty() && *host != "localhost");
    let target = match options.0.get("--target") {
        Some(Value::Output(command)) => {
            let tag = tag_filter(command).ok_or_else(|| unknown("--target", &format!("the output of `{command}`")))?;
            notes.push(format!("the target is found by its tag `{tag}`, as the command in it does"));
            Some(Target::Tag(tag))
        }
        _ => match options.text("--target")?.or_else(|| from_input("Target")) {
            Some(id) if is_node(&id) => Some(Target::Id(id)),
            Some(other) => return Err((format!("`--target` is `{other}`, which is no managed node's id"), None)),
            None => None,
        },
    };
    let region = options.text("--region")?;
    let region = region.or_else(|| scope.variable("AWS_REGION")).or_else(|| scope.variable("AWS_DEFAULT_REGION"));
    let profile = options.text("--profile")?.or_else(|| scope.variable("AWS_PROFILE"));
    let profile = profile.or_else(|| {
        let profile = vault_profile?;
        notes.push(format!("the profile is that of `aws-vault exec {profile}`"));
        Some(profile.to_owned())
    });
    Ok(Forward {
        host: host.map(str::to_owned),
        port,
        local_port,
        target,
        profile,
        region,
        endpoint: options.text("--endpoint-url")?,
        document,
        reason: options.text("--reason")?.or_else(|| from_input("Reason")),
        notes,
        ..Forward::default()
    })
}

/// The text, or that of the file that it names.
fn content(text: &str, files: ReadFile<'_>) -> Result<String, Refused> {
    let Some(path) = text.strip_prefix("file://").or_else(|| text.strip_prefix("fileb://")) else {
        return Ok(text.to_owned());
    };
    files(path).map_err(|error| (format!("`{text}` cannot be read: {error}"), None))
}

fn port_number(name: &str, text: &str) -> Result<u16, Refused> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err((format!("`{name}` is `{text}`, which is no port"), None)),
    }
}

fn is_node(id: &str) -> bool {
    let rest = id.strip_prefix("i-").or_else(|| id.strip_prefix("mi-")).or_else(|| id.strip_prefix("ecs:"));
    rest.is_some_and(|rest| !rest.is_empty())
}

/// The tag by which a command such as `aws ec2 describe-instances --filters Name=tag:Name,Values=bastion` looks for
/// instances.
fn tag_filter(command: &str) -> Option<String> {
    let bare = command.replace(['"', '\''], "");
    let (_, filter) = bare.split_once("Name=tag:")?;
    let (key, rest) = filter.split_once(',')?;
    let value = rest.trim_start().strip_prefix("Values=")?;
    let value = value.split([',', ' ', ')']).next().unwrap_or_default();
    let fits = |text: &str| !text.is_empty() && !text.contains(['*', '$', '?', '[']);
    (fits(key) && fits(value)).then(|| format!("{key}={value}"))
}
