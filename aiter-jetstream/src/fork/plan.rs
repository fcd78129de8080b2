//! The requests of a fork to the server.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{SystemTime, UNIX_EPOCH};

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::{Request, datetime};
use serde_json::{Value, json};

use super::Start;
use crate::Error;
use crate::api::{Failure, call};
use crate::end::{ends, last_of};

/// The default of [`RemoteFork::prefetch`](super::RemoteFork::prefetch).
const PREFETCH: usize = 500;
/// How long the server keeps a consumer that nobody pulls from.
const INACTIVE_NANOS: u64 = 30_000_000_000;

/// What a fork reads. It does not change with the fork's position.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) js: Context,
    pub(super) stream: String,
    /// When the stream was created, as the server writes it.
    created: Value,
    /// The subjects of the markers that end the fork.
    pub(super) ends: Vec<String>,
    pub(super) filters: Vec<String>,
    pub(super) start: Start,
    /// The newest message when the fork was made.
    pub(super) newest: u64,
    pub(super) prefetch: usize,
    /// The common prefix of the names of the fork's consumers.
    name: String,
}

impl Plan {
    /// Asks for the state of the stream. Returns the plan, and the first sequence to read.
    pub(super) async fn new(
        js: &Context,
        stream: &str,
        start: Start,
    ) -> Result<(Self, u64), Failure> {
        let info = info(js, stream).await?;
        let state = |field: &str| info["state"][field].as_u64().unwrap_or(0);
        let newest = state("last_seq");
        let plan = Self {
            js: js.clone(),
            stream: stream.to_owned(),
            created: info["created"].clone(),
            ends: ends(&info, stream),
            filters: Vec::new(),
            start,
            newest,
            prefetch: PREFETCH,
            // Each `RandomState` has other keys.
            name: format!("aiter-{:016x}", RandomState::new().hash_one(stream)),
        };
        let next = match start {
            Start::New => newest + 1,
            Start::All => state("first_seq"),
            Start::Last => plan.last_matching().await?,
            Start::LastPerSubject => 1,
            Start::Sequence(sequence) => sequence,
            Start::Time(time) => plan.first_since(time).await?,
        };
        Ok((plan, next.max(1)))
    }

    pub(super) fn consumer(&self, serial: u64) -> String {
        format!("{}-{serial}", self.name)
    }

    /// Returns the sequence of the last message that matches the filters, as of the fork's start.
    pub(super) async fn last_matching(&self) -> Result<u64, Failure> {
        let all = [">".to_owned()];
        let filters = if self.filters.is_empty() {
            &all
        } else {
            &self.filters[..]
        };
        let mut last = None;
        for filter in filters.iter().filter(|filter| !self.ends.contains(filter)) {
            last = last.max(last_of(&self.js, &self.stream, filter).await?);
        }
        for end in &self.ends {
            // In a stopped stream, the last message is the one before the end marker.
            if last.is_some() && last == last_of(&self.js, &self.stream, end).await? {
                last = last.map(|end| end - 1);
            }
        }
        // A message that came since the fork was made is not its last one of that time, but must be
        // yielded. So the fork starts after the newest message of that time at the latest.
        Ok(last.unwrap_or(u64::MAX).min(self.newest + 1))
    }

    /// Returns the sequence of the first message that was stored at this time or later. Only the
    /// state of a consumer tells it, so one is made and removed.
    async fn first_since(&self, time: SystemTime) -> Result<u64, Failure> {
        let nanos = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i128::try_from(after.as_nanos()),
            Err(before) => i128::try_from(before.duration().as_nanos()).map(|nanos| -nanos),
        };
        let start_time = datetime::from_nanos(nanos.unwrap_or(i128::MAX)).map_err(|error| {
            Failure::Final(Error::Configuration(format!(
                "Start::Time: not a time that can be sent ({error})"
            )))
        })?;
        let name = self.consumer(0);
        let made = self
            .create(&name, DeliverPolicy::ByStartTime { start_time })
            .await?;
        self.remove(&name).await;
        Ok(made["delivered"]["stream_seq"].as_u64().unwrap_or(0) + 1)
    }

    pub(super) async fn create(&self, name: &str, policy: DeliverPolicy) -> Result<Value, Failure> {
        let mut config = serde_json::to_value(policy).unwrap_or_default();
        config["name"] = name.into();
        config["ack_policy"] = "none".into();
        config["mem_storage"] = true.into();
        config["num_replicas"] = 1.into();
        config["inactive_threshold"] = INACTIVE_NANOS.into();
        if !self.filters.is_empty() {
            config["filter_subjects"] = self.filters.clone().into();
        } else if policy == DeliverPolicy::LastPerSubject {
            // The server requires a filter for this policy.
            config["filter_subject"] = ">".into();
        }
        let body = json!({ "stream_name": self.stream, "config": config });
        call(
            &self.js,
            format!("CONSUMER.CREATE.{}.{name}", self.stream),
            &body,
        )
        .await
    }

    /// Fails if another stream has taken the name.
    pub(super) async fn check_stream(&self) -> Result<(), Failure> {
        if info(&self.js, &self.stream).await?["created"] == self.created {
            Ok(())
        } else {
            Err(Failure::Final(Error::StreamRecreated(self.stream.clone())))
        }
    }

    /// Removes a consumer without waiting for an answer. If the request is lost, the server removes
    /// the consumer by itself once nobody has pulled from it for a while.
    pub(super) async fn remove(&self, consumer: &str) {
        let subject = format!("CONSUMER.DELETE.{}.{consumer}", self.stream);
        let _ = self.js.send_request(subject, Request::new()).await;
    }
}

async fn info(js: &Context, stream: &str) -> Result<Value, Failure> {
    call(js, format!("STREAM.INFO.{stream}"), &json!({})).await
}
