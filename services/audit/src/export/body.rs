//! The body of an answer that is made while it is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::mpsc;

use super::Piece;

/// Pieces as they come. It ends in order when the file is said to be whole, else with an error, so that the connection is cut
/// off: however whoever makes it came to an end.
#[derive(Debug)]
pub(super) struct Pieces {
    pieces: mpsc::Receiver<Piece>,
    ended: bool,
}

impl Pieces {
    pub(super) fn new(pieces: mpsc::Receiver<Piece>) -> Self {
        Self { pieces, ended: false }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.pieces.poll_recv(context).map(|piece| match piece {
            Some(Piece::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Piece::Whole) => {
                self.ended = true;
                None
            }
            None => {
                self.ended = true;
                Some(Err(std::io::Error::other("the export broke off")))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};

    use super::*;

    async fn read(pieces: Vec<Piece>) -> Option<Bytes> {
        let (sender, receiver) = mpsc::channel(8);
        for piece in pieces {
            sender.send(piece).await.unwrap();
        }
        drop(sender);
        to_bytes(Body::new(Pieces::new(receiver)), usize::MAX).await.ok()
    }

    #[tokio::test]
    async fn a_file_that_broke_off_is_never_taken_for_a_whole_one() {
        let piece = || Piece::Bytes(Bytes::from_static(b"a"));
        assert_eq!(read(vec![piece(), piece(), Piece::Whole]).await, Some(Bytes::from_static(b"aa")));
        assert_eq!(read(vec![Piece::Whole]).await, Some(Bytes::new()));
        assert_eq!(read(vec![piece(), piece()]).await, None);
        assert_eq!(read(Vec::new()).await, None);
    }
}
