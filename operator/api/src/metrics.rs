//! What the API counts. Labels are closed sets: route templates, methods and classes of status, never names.

use axum::http::{Method, StatusCode};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::time::Duration;

/// A request's labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    route: &'static str,
    method: MethodLabel,
    status: StatusClass,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RouteLabels {
    route: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum MethodLabel {
    Get,
    Head,
    Post,
    Delete,
    Other,
}

/// First digit of the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum StatusClass {
    Success,
    Redirect,
    Client,
    Server,
}

/// How a connection went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Handshake {
    /// With a client certificate.
    Certificate,
    /// Without one.
    Plain,
    /// Not at all.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct HandshakeLabels {
    outcome: Handshake,
}

/// The API's metrics.
#[derive(Clone, Debug)]
pub struct ApiMetrics {
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    handshakes: Family<HandshakeLabels, Counter>,
    connections: Gauge,
}

impl ApiMetrics {
    /// Metrics that are shown by `registry`, begun at zero.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        metrics.begin();
        registry.register(
            "hearth_api_requests",
            "Requests to the API, by route, method and class of status",
            metrics.requests.clone(),
        );
        registry.register(
            "hearth_api_request_duration_seconds",
            "Time from a request's head to its answer's",
            metrics.seconds.clone(),
        );
        registry.register(
            "hearth_api_handshakes",
            "TLS connections to the API, by outcome",
            metrics.handshakes.clone(),
        );
        registry.register("hearth_api_connections", "Open connections to the API", metrics.connections.clone());
        metrics
    }

    /// Makes the series of what has no route, with every method and class of status, and those of handshakes; the rest
    /// comes with the first request to a route.
    fn begin(&self) {
        let route = "other";
        for method in [MethodLabel::Get, MethodLabel::Head, MethodLabel::Other] {
            for status in [StatusClass::Success, StatusClass::Redirect, StatusClass::Client, StatusClass::Server] {
                self.requests.get_or_create(&RequestLabels { route, method, status }).inc_by(0);
            }
        }
        drop(self.seconds.get_or_create(&RouteLabels { route }));
        for outcome in [Handshake::Certificate, Handshake::Plain, Handshake::Failed] {
            self.handshakes.get_or_create(&HandshakeLabels { outcome }).inc_by(0);
        }
    }

    pub(crate) fn request(&self, route: &'static str, method: &Method, status: StatusCode, took: Duration) {
        let labels = RequestLabels { route, method: method_label(method), status: class(status) };
        self.requests.get_or_create(&labels).inc();
        self.seconds.get_or_create(&RouteLabels { route }).observe(took.as_secs_f64());
    }

    pub(crate) fn handshake(&self, outcome: Handshake) {
        self.handshakes.get_or_create(&HandshakeLabels { outcome }).inc();
    }

    pub(crate) fn connections(&self) -> &Gauge {
        &self.connections
    }
}

impl Default for ApiMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| {
                Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0])
            }),
            handshakes: Family::default(),
            connections: Gauge::default(),
        }
    }
}

fn method_label(method: &Method) -> MethodLabel {
    if method == Method::GET {
        MethodLabel::Get
    } else if method == Method::HEAD {
        MethodLabel::Head
    } else if method == Method::POST {
        MethodLabel::Post
    } else if method == Method::DELETE {
        MethodLabel::Delete
    } else {
        MethodLabel::Other
    }
}

fn class(status: StatusCode) -> StatusClass {
    if status.is_server_error() {
        StatusClass::Server
    } else if status.is_client_error() {
        StatusClass::Client
    } else if status.is_redirection() {
        StatusClass::Redirect
    } else {
        StatusClass::Success
    }
}
