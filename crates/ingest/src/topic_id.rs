//! The UUIDs of topics, which show that a topic was recreated.
//!
//! librdkafka provides them (`rd_kafka_DescribeTopics`), but the safe interface of its Rust binding
//! does not. This is the only module that calls C.
#![allow(unsafe_code, reason = "librdkafka's topic ids have no safe binding")]

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_int};
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::client::{Client, ClientContext};

/// A topic's UUID; zero if the broker does not know it.
pub(crate) type TopicId = [u8; 16];

/// The time to wait after the request's own timeout.
const GRACE: Duration = Duration::from_millis(500);

/// No broker has described the topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no broker has described the topics")]
pub(crate) struct NotDescribed;

/// Gets the UUIDs of those topics that exist.
pub(crate) fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    broker: i32,
    topics: &[&str],
    within: Duration,
) -> Result<HashMap<String, TopicId>, NotDescribed> {
    // Names of topics contain no zero bytes.
    let names: Vec<CString> = topics
        .iter()
        .filter_map(|topic| CString::new(*topic).ok())
        .collect();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let native = client.native_ptr();
    let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the array and its texts live through the call, which copies them.
    let collection = Owned::new(
        unsafe {
            c::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len())
        },
        c::rd_kafka_TopicCollection_destroy,
    )?;
    // SAFETY: the client lives through all of this function.
    let queue = Owned::new(
        unsafe { c::rd_kafka_queue_new(native) },
        c::rd_kafka_queue_destroy,
    )?;
    // SAFETY: likewise.
    let options = Owned::new(
        unsafe {
            c::rd_kafka_AdminOptions_new(
                native,
                c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
            )
        },
        c::rd_kafka_AdminOptions_destroy,
    )?;
    // Any broker knows the topics. By default the controller is queried, which librdkafka's mock
    // lacks.
    // SAFETY: a text of no length is written to nowhere; what is refused leaves the default.
    unsafe {
        c::rd_kafka_AdminOptions_set_broker(options.0, broker, std::ptr::null_mut(), 0);
        c::rd_kafka_AdminOptions_set_request_timeout(
            options.0,
            millis(within),
            std::ptr::null_mut(),
            0,
        );
    }
    // SAFETY: all four are live; the request copies what it needs and holds the queue itself.
    unsafe { c::rd_kafka_DescribeTopics(native, collection.0, options.0, queue.0) };
    // SAFETY: the queue is live.
    let event = Owned::new(
        unsafe { c::rd_kafka_queue_poll(queue.0, millis(within + GRACE)) },
        c::rd_kafka_event_destroy,
    )?;
    read(&event)
}

/// Reads the response.
fn read(event: &Owned<c::rd_kafka_event_t>) -> Result<HashMap<String, TopicId>, NotDescribed> {
    // SAFETY: the event is live; null is returned for events of other types.
    let result = unsafe { c::rd_kafka_event_DescribeTopics_result(event.0) };
    // SAFETY: the event is live.
    let error = unsafe { c::rd_kafka_event_error(event.0) };
    if result.is_null() || error != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(NotDescribed);
    }
    let mut count = 0;
    // SAFETY: the result is live; the array lives as long as the event and has `count` elements.
    let described = unsafe {
        let first = c::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if first.is_null() {
            return Ok(HashMap::new());
        }
        std::slice::from_raw_parts(first, count)
    };
    // SAFETY: every element is a description that lives as long as the event.
    Ok(described
        .iter()
        .filter_map(|one| unsafe { identity(*one) })
        .collect())
}

/// The name and the UUID of a topic, if it exists.
///
/// # Safety
///
/// The description must be live.
unsafe fn identity(topic: *const c::rd_kafka_TopicDescription_t) -> Option<(String, TopicId)> {
    // SAFETY: the error is part of the description, and may be null for none.
    let error = unsafe { c::rd_kafka_error_code(c::rd_kafka_TopicDescription_error(topic)) };
    if error != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return None;
    }
    // SAFETY: the name is a C text that lives as long as the description.
    let name = unsafe { CStr::from_ptr(c::rd_kafka_TopicDescription_name(topic)) };
    let name = name.to_str().ok()?.to_owned();
    // SAFETY: the UUID is part of the description.
    let uuid = unsafe { c::rd_kafka_TopicDescription_topic_id(topic) };
    let mut id = [0; 16];
    if !uuid.is_null() {
        // SAFETY: the UUID is live.
        let (most, least) = unsafe {
            (
                c::rd_kafka_Uuid_most_significant_bits(uuid),
                c::rd_kafka_Uuid_least_significant_bits(uuid),
            )
        };
        id[..8].copy_from_slice(&most.to_be_bytes());
        id[8..].copy_from_slice(&least.to_be_bytes());
    }
    Some((name, id))
}

fn millis(duration: Duration) -> c_int {
    c_int::try_from(duration.as_millis()).unwrap_or(c_int::MAX)
}

/// An object of librdkafka that is destroyed when it is dropped.
///
/// Invariant: the pointer is not null, nothing else destroys the object, and `destroy` is its
/// destructor.
struct Owned<T>(*mut T, unsafe extern "C" fn(*mut T));

impl<T> Owned<T> {
    /// Takes what a constructor returned. Null means that it failed.
    fn new(pointer: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Result<Self, NotDescribed> {
        if pointer.is_null() {
            return Err(NotDescribed);
        }
        Ok(Self(pointer, destroy))
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: by the invariant this is the one destruction of a live thing.
        unsafe { (self.1)(self.0) };
    }
}
