//! The request of an `http` template, sent from this process. Source: Argo's `executeHTTPTemplate`.
//!
//! What a manifest names as an address is not trusted: it is resolved here, once, addresses that only
//! this machine or its cloud should reach are refused, redirects to other hosts are not followed, and
//! time and size have bounds.

mod address;
mod judge;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{HOST, LOCATION};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use kube::{Client, Config};

use self::judge::Response;
use crate::base::limits::{HTTP_REDIRECTS_MAX, HTTP_SECONDS_MAX, RESULT_BYTES_MAX};
use crate::engine::{Phase, PodEnd};
use crate::spec;

/// What a request may refer to: the key of a Secret, by name and key.
pub type Secrets<'s> = &'s (dyn Fn(&str, &str) -> Option<String> + Send + Sync);

/// A request with nothing left to look up.
#[derive(Debug, Clone)]
pub struct Order {
    http: spec::HTTP,
    method: Method,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
    wait: Duration,
}

impl Order {
    /// Returns the order for a template's request, or why it cannot be sent.
    pub fn new(http: &spec::HTTP, secrets: Secrets<'_>) -> Result<Self, String> {
        let method = http.method.as_deref().filter(|method| !method.is_empty()).unwrap_or("GET");
        let method = method.parse().map_err(|_| format!("`{method}` is no method of HTTP"))?;
        let body = match http.body_from.as_ref().and_then(|from| from.bytes.as_deref()) {
            Some(bytes) => {
                STANDARD.decode(bytes.trim()).map_err(|fault| format!("bodyFrom.bytes is no base64: {fault}"))?
            }
            None => http.body.clone().unwrap_or_default().into_bytes(),
        };
        let seconds =
            http.timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0);
        let wait = Duration::from_secs(seconds.unwrap_or(HTTP_SECONDS_MAX).min(HTTP_SECONDS_MAX));
        let headers = http.headers.iter().map(|header| self::header(header, secrets)).collect::<Result<_, _>>()?;
        Ok(Self { http: http.clone(), method, headers, body, wait })
    }

    /// Sends the request, and returns the end of its node.
    pub async fn carry_out(self) -> PodEnd {
        let answered = tokio::time::timeout(self.wait, self.exchange()).await;
        let answered = answered.unwrap_or_else(|_| Err(format!("no answer within {}s", self.wait.as_secs())));
        match answered {
            Ok(response) => judge::end(&self.http, &response),
            Err(words) => broken(words),
        }
    }

    async fn exchange(&self) -> Result<Response, String> {
        let (mut target, mut method): (Uri, Method) = (parse(&self.http.url)?, self.method.clone());
        for _ in 0..=HTTP_REDIRECTS_MAX {
            let response = self.send(&target, &method).await?;
            match redirect(&target, &response) {
                None => return judged(response).await,
                Some(next) => {
                    let again =
                        matches!(response.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
                    method = if again || method == Method::HEAD { method } else { Method::GET };
                    target = next;
                }
            }
        }
        Err(format!("more than {HTTP_REDIRECTS_MAX} redirects (HTTP_REDIRECTS_MAX)"))
    }

    async fn send(&self, target: &Uri, method: &Method) -> Result<http::Response<Body>, String> {
        let client = self.client(target).await?;
        let path = target.path_and_query().map_or("/", |path| path.as_str());
        let authority = target.authority().map(ToString::to_string).unwrap_or_default();
        let body = if *method == self.method { self.body.clone() } else { Vec::new() };
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = parse(path)?;
        let host = HeaderValue::from_str(&authority).map_err(|fault| fault.to_string())?;
        request.headers_mut().insert(HOST, host);
        for (name, value) in &self.headers {
            match *name == HOST {
                true => drop(request.headers_mut().insert(name, value.clone())),
                false => drop(request.headers_mut().append(name, value.clone())),
            }
        }
        client.send(request).await.map_err(|fault| format!("the request to {authority} failed: {}", causes(&fault)))
    }

    /// Returns a client of the one address that the target's name stands for.
    async fn client(&self, target: &Uri) -> Result<Client, String> {
        let address = address::resolve(target).await?;
        let scheme = target.scheme_str().unwrap_or("http");
        let mut config = Config::new(parse(&format!("{scheme}://{address}"))?);
        config.tls_server_name = target.host().map(|host| host.trim_matches(['[', ']']).to_owned());
        config.accept_invalid_certs = self.http.insecure_skip_verify == Some(true);
        config.proxy_url = None;
        Client::try_from(config).map_err(|fault| fault.to_string())
    }
}

/// Returns the end of a node whose request came to nothing.
pub fn broken(words: String) -> PodEnd {
    PodEnd { phase: Phase::Error, exit_code: None, message: words, ..PodEnd::exited(0) }
}

fn parse(text: &str) -> Result<Uri, String> {
    text.parse().map_err(|fault| format!("`{text}` is no address: {fault}"))
}

fn header(header: &spec::HTTPHeader, secrets: Secrets<'_>) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| format!("`{}` is no header", header.name))?;
    let secret = header.value_from.as_ref().and_then(|from| from.secret_key_ref.as_ref());
    let value = match secret {
        None => header.value.clone().unwrap_or_default(),
        Some(reference) => {
            let secret = reference.name.as_deref().unwrap_or_default();
            secrets(secret, &reference.key)
                .ok_or_else(|| format!("Secret `{secret}` with key `{}` was not given", reference.key))?
        }
    };
    let mut value = HeaderValue::from_str(&value)
        .map_err(|_| format!("header `{}` has a value that no header can have", header.name))?;
    value.set_sensitive(secret.is_some());
    Ok((name, value))
}

/// Returns where a response sends on to, when that is on the same host.
fn redirect<B>(target: &Uri, response: &http::Response<B>) -> Option<Uri> {
    if !response.status().is_redirection() {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let next: Uri = match location.starts_with('/') && !location.starts_with("//") {
        true => format!("{}://{}{location}", target.scheme_str()?, target.authority()?).parse().ok()?,
        false => location.parse().ok()?,
    };
    (next.scheme() == target.scheme() && next.authority() == target.authority()).then_some(next)
}

async fn judged(response: http::Response<Body>) -> Result<Response, String> {
    let status = response.status().as_u16();
    let headers = response.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let headers = headers.collect();
    let body = Limited::new(response.into_body(), RESULT_BYTES_MAX).collect().await.map_err(|fault| {
        match fault.is::<http_body_util::LengthLimitError>() {
            true => format!("the response is larger than {} KiB (RESULT_BYTES_MAX)", RESULT_BYTES_MAX >> 10),
            false => format!("the response broke off: {fault}"),
        }
    })?;
    let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    Ok(Response { status, headers, body })
}

/// Returns an error with what is behind it, which says more than its own words.
fn causes(fault: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(fault), |fault| fault.source());
    let mut words: Vec<String> = chain.map(ToString::to_string).collect();
    words.dedup();
    words.join(": ")
}

#[cfg(test)]
mod tests;
