//! A subscription to the daemon that mends itself.
//!
//! Owns the event stream and the pause between tries. What the news mean is the model's.

use std::time::Duration;
use tokio::time::Instant;
use tunnels_api::{Client, ClientError, DaemonEvent, Events};

/// The pause after the first lost connection; doubles with each failed try.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Whoever restarts the daemon while a view is open should not wait long for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Something to show.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all news are events, and each is taken apart at once")]
pub enum News {
    /// What the daemon says. The first after a loss is a snapshot.
    Event(DaemonEvent),
    /// The daemon cannot be heard; it is tried again by itself.
    Lost(Option<ClientError>),
}

/// Yields news for as long as somebody asks.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    link: Link,
    pause: Duration,
}

#[derive(Debug)]
enum Link {
    Up(Events),
    Down { retry_at: Instant },
}

impl Connection {
    /// Subscribes at once with the first [`Connection::next`].
    pub fn new(client: Client) -> Self {
        Self { client, link: Link::Down { retry_at: Instant::now() }, pause: FIRST_PAUSE }
    }

    /// The next piece of news. Dropping the future loses nothing but a connection being made.
    pub async fn next(&mut self) -> News {
        loop {
            match &mut self.link {
                Link::Up(events) => match events.next().await {
                    Some(Ok(event)) => return News::Event(event),
                    Some(Err(error)) => return self.lost(Some(error)),
                    None => return self.lost(None),
                },
                Link::Down { retry_at } => {
                    tokio::time::sleep_until(*retry_at).await;
                    match self.client.events().await {
                        Ok(events) => {
                            self.link = Link::Up(events);
                            self.pause = FIRST_PAUSE;
                        }
                        Err(error) => return self.lost(Some(error)),
                    }
                }
            }
        }
    }

    fn lost(&mut self, error: Option<ClientError>) -> News {
        self.link = Link::Down { retry_at: Instant::now() + self.pause };
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        News::Lost(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tries_again_with_a_growing_pause() {
        let mut connection = Connection::new(Client::new("/nonexistent/daemon.sock"));
        let start = Instant::now();
        let mut at = Vec::new();
        for _ in 0..6 {
            let News::Lost(Some(error)) = connection.next().await else { panic!("nobody listens there") };
            assert!(error.is_unreachable());
            at.push(start.elapsed().as_millis() / 100 * 100);
        }
        assert_eq!(at, [0, 200, 600, 1400, 3000, 5000]);
    }
}
