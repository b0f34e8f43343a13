//! Requests that are made again, because their answer was a passing trouble of the server's or was lost.
//!
//! Every write of ours can be repeated: what is created has a name of its own and is known by its owner,
//! what is replaced names the version that it replaces, patches say what is to be. So a lost answer is as
//! good a reason as a refusal. What lasts longer than this is the driver's to bear.

use std::time::Duration;

use http::{Request, Response, StatusCode};
use kube::client::Body;
use kube::client::retry::RetryPolicy;
use tower::BoxError;
use tower::retry::Policy;

/// How often a request is made again, and how long the first wait is; each is twice the one before.
/// Together about a second and a half: who waits at a terminal wants to know soon.
const TRIES_MAX: u32 = 5;
const WAIT_MIN: Duration = Duration::from_millis(50);

/// The longest wait that a server may ask for: what takes longer is not waited for here.
const SERVER_WAIT_MAX: Duration = Duration::from_secs(10);

/// Decides whether a request is made again.
#[derive(Debug, Clone, Default)]
pub struct Patience {
    tried: u32,
}

impl Patience {
    /// Returns how long to wait before the next try, if there is one.
    fn wait(&mut self, trouble: Trouble) -> Option<Duration> {
        if self.tried == TRIES_MAX {
            return None;
        }
        let wait = WAIT_MIN * 2_u32.pow(self.tried);
        self.tried += 1;
        match trouble {
            Trouble::Asks(server) if server > SERVER_WAIT_MAX => None,
            Trouble::Asks(server) => Some(server.max(wait)),
            Trouble::Passing => Some(wait),
        }
    }
}

/// What makes a request worth another try.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// It may be gone in a moment.
    Passing,
    /// The server says how long to wait.
    Asks(Duration),
}

impl Trouble {
    fn of<B>(answer: &Result<Response<B>, BoxError>) -> Option<Self> {
        let Ok(answer) = answer else { return Some(Self::Passing) };
        let passing = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::INTERNAL_SERVER_ERROR,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        if !passing.contains(&answer.status()) {
            return None;
        }
        let seconds = answer.headers().get("Retry-After").and_then(|wait| wait.to_str().ok()?.parse().ok());
        Some(seconds.map_or(Self::Passing, |seconds| Self::Asks(Duration::from_secs(seconds))))
    }
}

impl<B> Policy<Request<Body>, Response<B>, BoxError> for Patience {
    type Future = tokio::time::Sleep;

    fn retry(&mut self, _: &mut Request<Body>, answer: &mut Result<Response<B>, BoxError>) -> Option<Self::Future> {
        let trouble = Trouble::of(answer)?;
        self.wait(trouble).map(tokio::time::sleep)
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        Policy::<_, Response<B>, BoxError>::clone_request(&mut RetryPolicy::default(), request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<&str>) -> Result<Response<()>, BoxError> {
        let mut builder = Response::builder().status(status);
        if let Some(wait) = retry_after {
            builder = builder.header("Retry-After", wait);
        }
        Ok(builder.body(()).expect("a response"))
    }

    #[test]
    fn passing_troubles_are_told_from_answers() {
        let asks = |seconds| Some(Trouble::Asks(Duration::from_secs(seconds)));
        for (status, retry_after, expected) in [
            (200, None, None),
            (404, None, None),
            (409, Some("1"), None),
            (500, None, Some(Trouble::Passing)),
            (503, Some("soon"), Some(Trouble::Passing)),
            (429, Some("2"), asks(2)),
        ] {
            assert_eq!(Trouble::of(&answer(status, retry_after)), expected, "{status} {retry_after:?}");
        }
        assert_eq!(Trouble::of::<()>(&Err("reset".into())), Some(Trouble::Passing));
    }

    #[test]
    fn waits_grow_and_end() {
        let mut patience = Patience::default();
        let waits: Vec<u64> =
            std::iter::from_fn(|| patience.wait(Trouble::Passing)).map(|wait| wait.as_millis() as u64).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800]);
        assert_eq!(Patience::default().wait(Trouble::Asks(Duration::from_secs(2))), Some(Duration::from_secs(2)));
        assert_eq!(Patience::default().wait(Trouble::Asks(Duration::from_secs(60))), None);
    }
}
