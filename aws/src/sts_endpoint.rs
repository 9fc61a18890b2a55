//! Sends calls of STS to the endpoint that `endpoints.sts` names.
//!
//! The SDK's credential providers take such an endpoint only from variables and profiles. So their requests are
//! redirected on the way out: signed for the host that the SDK had in mind, which stays in the `Host` header, as
//! with a VPC endpoint that is found by private DNS.

use crate::http::Http;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use http::Uri;

/// The client for credential providers; `endpoint` replaces STS's own.
pub(crate) fn with_sts(http: &Http, endpoint: Option<&str>) -> SharedHttpClient {
    match endpoint {
        Some(endpoint) => SharedHttpClient::new(WithSts { http: http.clone(), endpoint: endpoint.to_owned() }),
        None => SharedHttpClient::new(http.clone()),
    }
}

#[derive(Debug)]
struct WithSts {
    http: Http,
    endpoint: String,
}

impl HttpClient for WithSts {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.http.http_connector(settings, parts);
        SharedHttpConnector::new(Redirect { inner, endpoint: self.endpoint.clone() })
    }
}

#[derive(Debug)]
struct Redirect {
    inner: SharedHttpConnector,
    endpoint: String,
}

impl HttpConnector for Redirect {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        if is_sts(&request)
            && let Err(error) = redirect(&mut request, &self.endpoint)
        {
            return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
        }
        self.inner.call(request)
    }
}

/// Of the services that credential providers call, STS alone takes forms.
fn is_sts(request: &HttpRequest) -> bool {
    request.headers().get("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

fn redirect(request: &mut HttpRequest, endpoint: &str) -> Result<(), String> {
    let uri: Uri = request.uri().parse().map_err(|error| format!("{}: {error}", request.uri()))?;
    if let Some(host) = uri.authority() {
        request.headers_mut().insert("host", host.to_string());
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let moved = format!("{}{path}", endpoint.trim_end_matches('/'));
    request.set_uri(moved.as_str()).map_err(|error| format!("the endpoint of STS, {endpoint}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::body::SdkBody;

    fn request(kind: &'static str) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_uri("https://sts.eu-west-1.amazonaws.com/").unwrap();
        request.headers_mut().insert("content-type", kind);
        request
    }

    #[test]
    fn the_host_that_was_signed_stays_and_the_address_changes() {
        let mut sts = request("application/x-www-form-urlencoded");
        assert!(is_sts(&sts));
        redirect(&mut sts, "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com/").unwrap();
        assert_eq!(sts.uri(), "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com/");
        assert_eq!(sts.headers().get("host"), Some("sts.eu-west-1.amazonaws.com"));
    }

    #[test]
    fn other_services_go_where_they_went() {
        assert!(!is_sts(&request("application/json")));
    }
}
