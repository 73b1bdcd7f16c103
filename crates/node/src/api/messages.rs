//! Messages from publishers, as subscribers receive them.

use fanout::FetchError;
use market::InstrumentName;
use streams::{Fetched, Rejected};
use wire::sbe::Message;

use super::accept::Format;
use super::error::ApiError;
use super::reply::Reply;

/// Identifies the content of a response by epoch, sequence number and state, which may change without a new
/// message.
fn tag(fetched: &Fetched) -> String {
    let (state, reason) = fetched.state;
    format!(
        "{:x}-{}-{}-{}",
        fetched.position.epoch.0,
        fetched.position.seq.0,
        state.name(),
        reason.name()
    )
}

/// Responds with the messages from a publisher, or with the JSON that `write` makes of them.
pub(super) fn reply(
    fetched: Fetched,
    format: Format,
    write: impl FnOnce(&Fetched) -> Vec<u8> + Send + 'static,
) -> Reply {
    Reply {
        format,
        tag: tag(&fetched),
        next: None,
        body: Box::new(move || match format {
            Format::Json => write(&fetched),
            Format::Messages(_) => raw(&fetched),
        }),
    }
}

/// Decodes the messages, which are SBE.
pub(super) fn messages(fetched: &Fetched) -> impl Iterator<Item = Message<'_>> {
    let payloads = fetched.run.iter().flat_map(|run| run.messages());
    // This node encoded them, so they decode.
    payloads.filter_map(|(payload, _)| Message::decode(payload).ok().map(|(message, _)| message))
}

/// Concatenates the messages as they are sent.
fn raw(fetched: &Fetched) -> Vec<u8> {
    let payloads = fetched.run.iter().flat_map(|run| run.messages());
    let mut out = Vec::with_capacity(fetched.run.as_ref().map_or(0, |run| run.len()));
    for (payload, _) in payloads {
        out.extend_from_slice(payload);
    }
    out
}

/// Translates the error of a publisher.
pub(super) fn failed(error: FetchError, name: &InstrumentName) -> ApiError {
    match error {
        FetchError::NotReady => ApiError::later(
            "not_ready",
            "this node is still catching up, or has read nothing of this instrument yet",
        ),
        FetchError::Busy => ApiError::later("busy", "this node is overloaded"),
        FetchError::Refused(Rejected::UnknownInstrument) => ApiError::no_symbol(name.as_str()),
        FetchError::Refused(refused) => {
            let (code, field) = match refused {
                Rejected::TooManyViews { .. } => {
                    return ApiError::too_many("too_many_views", "group", &refused.to_string());
                }
                Rejected::Group { .. } => ("unsupported_group", "group"),
                Rejected::Speed { .. } => ("unsupported_speed", "speed"),
                _ => ("unsupported_channel", "channel"),
            };
            ApiError::unsupported(code, field, &refused.to_string())
        }
    }
}
