use bytes::Bytes;
use wire::sbe::{DecodeError, Message, Messages};
use wire::{Encoding, packed};

/// A binary WebSocket message, from which data messages are taken one by one.
#[derive(Debug, Clone)]
pub struct Payload {
    encoding: Encoding,
    bytes: Bytes,
    at: usize,
    /// The SBE of the current message, if the encoding is packed.
    unpacked: Vec<u8>,
}

impl Payload {
    /// A payload from which nothing has been taken.
    #[must_use]
    pub const fn new(encoding: Encoding, bytes: Bytes) -> Self {
        Self {
            encoding,
            bytes,
            at: 0,
            unpacked: Vec::new(),
        }
    }

    /// Returns whether all messages have been taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Takes the next message, along with its own bytes; `None` at the end.
    #[inline]
    pub fn take_next(&mut self) -> Option<Result<(Message<'_>, Bytes), DecodeError>> {
        if self.encoding == Encoding::Packed {
            return self.unpack_next();
        }
        let rest = self.bytes.get(self.at..)?;
        let mut messages = Messages::new(rest);
        let message = messages.next()?;
        let begin = self.at;
        let end = begin + messages.offset();
        match message {
            Ok(message) => {
                self.at = end;
                Some(Ok((message, self.bytes.slice(begin..end))))
            }
            Err(mut error) => {
                // Continue after the bad message if its length is known; otherwise the rest is lost.
                self.at = if error.ends_payload() {
                    self.bytes.len()
                } else {
                    end
                };
                error.offset += begin;
                Some(Err(error))
            }
        }
    }

    fn unpack_next(&mut self) -> Option<Result<(Message<'_>, Bytes), DecodeError>> {
        let begin = self.at;
        let rest = self.bytes.get(begin..)?;
        let mut messages = packed::Messages::new(rest);
        let message = messages.next()?;
        self.at = begin + messages.offset();
        let message = match message {
            Ok(message) => message,
            Err(mut error) => {
                error.offset += begin;
                return Some(Err(error));
            }
        };
        self.unpacked.clear();
        // What was read is within SBE's bounds; if it were not, decoding would fail.
        let _encoded = message.encode(&mut self.unpacked);
        let decoded = Message::decode(&self.unpacked);
        Some(decoded.map(|(message, _)| (message, self.bytes.slice(begin..self.at))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::{Channel, Nanos};
    use wire::Head;
    use wire::sbe::{Fault, heartbeat};

    #[test]
    fn messages_are_taken_with_their_own_bytes_and_a_bad_one_costs_no_other() {
        let head = Head::of_connection(Nanos(1));
        let mut out = Vec::new();
        for _ in 0..3 {
            heartbeat(&mut out, &head, Channel::Book);
        }
        let len = out.len() / 3;
        out[2 * len - 1] = 99; // the second one's channel
        let mut payload = Payload::new(Encoding::Sbe, Bytes::from(out.clone()));
        assert_eq!(payload.take_next().unwrap().unwrap().1, out[..len]);
        let error = payload.take_next().unwrap().unwrap_err();
        assert_eq!(
            (error.fault, error.offset),
            (Fault::UnknownValue(99), 2 * len - 1)
        );
        assert_eq!(payload.take_next().unwrap().unwrap().1, out[2 * len..]);
        assert!(payload.take_next().is_none() && payload.is_empty());
    }

    #[test]
    fn packed_messages_are_taken_like_those_of_sbe() {
        let head = Head::of_connection(Nanos(1));
        let mut sbe = Vec::new();
        heartbeat(&mut sbe, &head, Channel::Book);
        let (message, _) = Message::decode(&sbe).unwrap();
        let mut one = Vec::new();
        packed::Packer::new().pack(&mut one, &message);
        let mut bad = one.clone();
        *bad.last_mut().unwrap() = 99;
        let out = [&one[..], &bad, &one].concat();
        let mut payload = Payload::new(Encoding::Packed, Bytes::from(out));
        let (first, raw) = payload.take_next().unwrap().unwrap();
        assert_eq!(first.into_owned(), message.into_owned());
        assert_eq!(raw, one);
        let error = payload.take_next().unwrap().unwrap_err();
        assert_eq!(
            (error.fault, error.offset),
            (Fault::UnknownValue(99), 2 * one.len() - 1)
        );
        assert!(payload.take_next().unwrap().is_ok());
        assert!(payload.take_next().is_none() && payload.is_empty());
    }

    #[test]
    fn what_cannot_be_measured_ends_the_payload() {
        let mut payload = Payload::new(Encoding::Sbe, Bytes::from_static(b"not a message"));
        assert!(payload.take_next().unwrap().is_err());
        assert!(payload.take_next().is_none() && payload.is_empty());
    }
}
