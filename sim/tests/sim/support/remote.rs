//! A TCP server behind the node: what it does a connection's first byte says.

use std::net::SocketAddr;

use ring::digest::{Context, SHA256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Serves `d` + length: sends that many bytes of [`payload`]; `u` + length: takes that
/// many bytes and answers their hash; anything else comes back as an echo, this byte included.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Remote {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let _ = serve(stream).await;
                });
            }
        });
        Self { address, task }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    match stream.read_u8().await? {
        b'd' => {
            let length = stream.read_u64().await?;
            stream.write_all(&payload(usize::try_from(length).unwrap())).await?;
            stream.read_u8().await?;
        }
        b'u' => {
            let length = stream.read_u64().await?;
            let mut data = vec![0; usize::try_from(length).unwrap()];
            stream.read_exact(&mut data).await?;
            stream.write_all(&hash(&data)).await?;
            stream.read_u8().await?;
        }
        first => {
            stream.write_u8(first).await?;
            let (mut from, mut to) = stream.split();
            tokio::io::copy(&mut from, &mut to).await?;
        }
    }
    Ok(())
}

/// Bytes that do not repeat in any period a protocol might have.
pub(crate) fn payload(length: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(length as u64);
    let mut data = vec![0; length];
    rng.fill(&mut data);
    data
}

pub(crate) fn hash(data: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(data);
    context.finish().as_ref().try_into().unwrap()
}
