//! One command, if it is `aws ssm start-session`: its options in any order, and what they come to.

use crate::parameters::{self, Parameters};
use crate::script::Scope;
use crate::shell::{Part, Word};
use crate::{Forward, ReadFile, Refusal, Report, Target, name};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt;

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

/// One word of a command line.
enum Argument {
    /// `--NAME`, or `--NAME=VALUE`.
    Option(String, Option<Value>),
    Word(Value),
}

/// A command's options, the last of each.
#[derive(Default)]
struct Options {
    values: BTreeMap<String, Value>,
    /// Words that may be further ones.
    unknown: Vec<String>,
}

/// Notes what the command starts, or why that cannot be taken; other commands are passed over.
pub(crate) fn read(words: &[Word], scope: &Scope, files: ReadFile<'_>, report: &mut Report) {
    let Some(line) = words.first().map(|word| word.line) else { return };
    let Some(aws) = words.iter().position(|word| is_aws(&scope.value(&word.parts))) else { return };
    let (positional, options) = arguments(&words[aws + 1..], scope);
    if positional.iter().take(2).ne(["ssm", "start-session"].iter()) {
        return;
    }
    match forward(&options, scope, vault_profile(&words[..aws], scope).as_ref(), files) {
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

/// Of `aws-vault exec [OPTIONS] PROFILE -- aws …`.
fn vault_profile(before: &[Word], scope: &Scope) -> Option<Value> {
    let exec = before.iter().position(|word| word.literal() == Some("exec"))?;
    before[..exec].last()?.literal().filter(|program| program.ends_with("aws-vault"))?;
    let mut values = before[exec + 1..].iter().map(|word| scope.value(&word.parts));
    values.rfind(|value| !matches!(value, Value::Text(text) if text.starts_with('-')))
}

fn is_aws(value: &Value) -> bool {
    let Value::Text(text) = value else { return false };
    let program = text.rsplit(['/', '\\']).next().unwrap_or_default();
    matches!(program, "aws" | "aws.exe" | "aws2")
}

fn arguments(words: &[Word], scope: &Scope) -> (Vec<String>, Options) {
    let (mut positional, mut options) = (Vec::new(), Options::default());
    let mut arguments = words.iter().map(|word| argument(word, scope)).peekable();
    while let Some(argument) = arguments.next() {
        let (name, value) = match argument {
            Argument::Word(Value::Text(text)) => {
                positional.push(text);
                continue;
            }
            Argument::Word(value) => {
                options.unknown.push(value.to_string());
                continue;
            }
            Argument::Option(name, value) => (name, value),
        };
        if FLAGS.contains(&name.as_str()) {
            continue;
        }
        let mut value = match value {
            Some(value) => value,
            None => match arguments.next_if(|next| matches!(next, Argument::Word(_))) {
                Some(Argument::Word(value)) => value,
                _ => continue,
            },
        };
        if name == "--parameters" {
            // Shorthand may be spread over several words.
            while let Some(Argument::Word(more)) = arguments.next_if(|next| match next {
                // What a script hands on is more often options than the rest of a value.
                Argument::Word(Value::Unknown(what)) => !matches!(what.as_str(), "$@" | "$*"),
                Argument::Word(_) => true,
                Argument::Option(..) => false,
            }) {
                value = match (value, more) {
                    (Value::Text(whole), Value::Text(more)) => {
                        Value::Text(format!("{},{more}", whole.trim_end_matches(',')))
                    }
                    (Value::Text(_), more) => more,
                    (unknown, _) => unknown,
                };
            }
        }
        options.values.insert(name, value);
    }
    (positional, options)
}

/// An option's name is told apart before its value is looked at, which may be unknown.
fn argument(word: &Word, scope: &Scope) -> Argument {
    if let Some(Part::Text(text)) = word.parts.first()
        && let Some((name, value)) = text.split_once('=').filter(|_| text.starts_with("--"))
    {
        let parts: Vec<Part> =
            std::iter::once(Part::Text(value.to_owned())).chain(word.parts[1..].iter().cloned()).collect();
        return Argument::Option(name.to_owned(), Some(scope.value(&parts)));
    }
    match scope.value(&word.parts) {
        Value::Text(text) if text.starts_with("--") => match text.split_once('=') {
            Some((name, value)) => Argument::Option(name.to_owned(), Some(Value::Text(value.to_owned()))),
            None => Argument::Option(text, None),
        },
        value => Argument::Word(value),
    }
}

type Refused = (String, Option<&'static str>);

impl Options {
    fn text(&self, name: &str) -> Result<Option<String>, Refused> {
        self.values.get(name).map(|value| value.text(name)).transpose()
    }

    /// The option, or what the script sets one of these variables to.
    fn text_or(&self, name: &str, scope: &Scope, variables: &[&str]) -> Result<Option<String>, Refused> {
        if let Some(text) = self.text(name)? {
            return Ok(Some(text));
        }
        let variable = variables.iter().find_map(|name| Some((*name, scope.variable(name)?)));
        variable.map(|(name, value)| value.text(name)).transpose()
    }
}

impl Value {
    /// The value of `name`, if it is known.
    fn text(&self, name: &str) -> Result<String, Refused> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            other => Err(unknown(name, &other.to_string())),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Output(command) => write!(f, "the output of `{command}`"),
            Self::Unknown(what) => f.write_str(what),
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
    vault_profile: Option<&Value>,
    files: ReadFile<'_>,
) -> Result<Forward, Refused> {
    let left_out = |what: &String| format!("{what} may hold further options, and is left out");
    let mut notes: Vec<String> = options.unknown.iter().map(left_out).collect();
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
    let target = match options.values.get("--target") {
        Some(output @ Value::Output(command)) => {
            let tag = tag_filter(command).ok_or_else(|| unknown("--target", &output.to_string()))?;
            notes.push(format!("the target is found by its tag `{tag}`, as the command in it does"));
            Some(Target::Tag(tag))
        }
        _ => match options.text("--target")?.or_else(|| from_input("Target")) {
            Some(id) if is_node(&id) => Some(Target::Id(id)),
            Some(other) => return Err((format!("`--target` is `{other}`, which is no managed node's id"), None)),
            None => None,
        },
    };
    let region = options.text_or("--region", scope, &["AWS_REGION", "AWS_DEFAULT_REGION"])?;
    let profile = match (options.text_or("--profile", scope, &["AWS_PROFILE"])?, vault_profile) {
        (None, Some(vault)) => {
            let profile = vault.text("the profile of `aws-vault exec`")?;
            notes.push(format!("the profile is that of `aws-vault exec {profile}`"));
            Some(profile)
        }
        (profile, _) => profile,
    };
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
