//! The marker that ends a stream, and how subjects match.

use async_nats::jetstream::Context;
use serde_json::{Value, json};

use crate::api::{self, Failure};

/// Returns the subject of a stream's end marker, which [`Publisher::stop`](crate::Publisher::stop)
/// publishes.
///
/// Use it to continue a stream that was stopped: `stream.purge().filter(end_subject(name))` removes
/// the marker. Forks and takers with filters read this subject too.
///
/// ```
/// assert_eq!(aiter_jetstream::end_subject("orders"), "aiter.end.orders");
/// ```
pub fn end_subject(stream: &str) -> String {
    format!("aiter.end.{stream}")
}

/// Returns the subjects of the markers that end readers of a stream. In a mirror, messages have the
/// subjects of the origin, so the origin's marker is one of them.
pub(crate) fn ends(info: &Value, stream: &str) -> Vec<String> {
    let origin = info["config"]["mirror"]["name"].as_str();
    origin
        .into_iter()
        .chain([stream])
        .map(end_subject)
        .collect()
}

/// Returns the sequence of the newest message with this subject, which may have wildcards.
pub(crate) async fn last_of(
    js: &Context,
    stream: &str,
    subject: &str,
) -> Result<Option<u64>, Failure> {
    /// "no message found"
    const NO_MESSAGE: u64 = 10037;
    match api::call(
        js,
        format!("STREAM.MSG.GET.{stream}"),
        &json!({ "last_by_subj": subject }),
    )
    .await
    {
        Ok(answer) => Ok(answer["message"]["seq"].as_u64()),
        Err(
            Failure::Final(crate::Error::Refused(error))
            | Failure::Passing(crate::Error::Refused(error)),
        ) if error.error_code().0 == NO_MESSAGE => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Returns whether one of `subjects` matches everything that `subject` matches. All of them may
/// have wildcards.
pub(crate) fn covers<'a>(mut subjects: impl Iterator<Item = &'a str>, subject: &str) -> bool {
    subjects.any(|wide| {
        let mut narrow = subject.split('.');
        for token in wide.split('.') {
            match (token, narrow.next()) {
                (">", Some(_)) => return true,
                ("*", Some(token)) if token != ">" => {}
                (token, Some(same)) if token == same => {}
                _ => return false,
            }
        }
        narrow.next().is_none()
    })
}

/// Returns the strings of a list in an answer of the server.
pub(crate) fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn subjects_cover() {
        for (wide, narrow, expected) in [
            ("a", "a", true),
            ("a", "b", false),
            ("a", "a.b", false),
            ("a.b", "a", false),
            ("*", "a", true),
            ("*", "a.b", false),
            ("a.*", "a.b", true),
            ("a.*", "a.*", true),
            ("a.*", "a.>", false),
            ("*", ">", false),
            (">", ">", true),
            (">", "a.b.c", true),
            ("a.>", "a", false),
            ("a.>", "a.b", true),
            ("a.>", "a.*.c", true),
            ("a.*.c", "a.b.c", true),
            ("a.*.c", "a.b.d", false),
        ] {
            assert_eq!(
                covers([wide].into_iter(), narrow),
                expected,
                "{wide} {narrow}"
            );
        }
        assert!(!covers([].into_iter(), "a"));
        assert!(covers(["b", "a"].into_iter(), "a"));
    }
}
