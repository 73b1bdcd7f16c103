//! Socket.IO 5 over Engine.IO 4. A binary event is a text frame that describes it, and a binary
//! frame for each attachment; the message is the attachment.

use std::net::TcpStream;

use crate::peers::conversation::Conversation;
use crate::websocket::frames::{self, TEXT};

/// Engine.IO packets of one byte.
const PING: &[u8] = b"2";
const PONG: &[u8] = b"3";

pub(super) fn connect(stream: TcpStream, wants: &[u16]) -> anyhow::Result<Conversation> {
    let mut conversation =
        Conversation::open(stream, "/socket.io/?EIO=4&transport=websocket", None)?;
    conversation.until(|_, text| text.starts_with(b"0"))?;
    conversation.send(TEXT, b"40")?;
    conversation.until(|_, text| text.starts_with(b"40"))?;
    conversation.send(TEXT, format!(r#"420["subscribe",{wants:?}]"#).as_bytes())?;
    conversation.until(|_, text| text.starts_with(b"430"))?;
    Ok(conversation)
}

/// Handles a text frame. One that announces an attachment is not a delivery.
pub(super) fn answer(text: &[u8], replies: &mut Vec<u8>) {
    if text == PING {
        frames::append_masked(replies, TEXT, PONG);
    }
}
